//===- Generation.hpp - Continue texts token by token -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Greedy choice, sampling and beam search on the sequences of a session.
// Header-only, as Runtime.hpp is. Link the same library.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_GENERATION_HPP
#define LLMOPT_GENERATION_HPP

#include "llmopt/Runtime.hpp"
#include "llmopt/Sampler.hpp"

namespace llmopt {

/// Why a generation ended.
enum class StopReason {
  MaxTokens,   ///< it has as many tokens as were asked for
  StopToken,   ///< the next token would have been one that ends it
  ContextFull, ///< the sequence cannot be longer
  Cancelled    ///< the caller did not want another token
};

/// How generate continues a text.
struct GenerationSettings {
  size_t maxTokens = 64;
  std::vector<int32_t> stop; ///< tokens that end the text
  SamplerSettings sampler;   ///< greedy, unless it has a temperature
};

/// A text that was continued; the token that ended it is no part of it.
struct Generation {
  std::vector<int32_t> tokens;
  StopReason reason = StopReason::MaxTokens;
};

namespace detail {
inline bool contains(std::span<const int32_t> tokens, int32_t token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}
} // namespace detail

/// Appends `prompt` to `sequence` and continues it. `onToken(token)` gets every
/// token as it is chosen, and returns whether to go on. A prompt that does not
/// fit is an error; a text that fills the context ends. Except for that, the
/// sequence then holds the prompt and all tokens but the last one.
template <typename OnToken>
Result<Generation>
generate(Session &session, uint32_t sequence, std::span<const int32_t> prompt,
         const GenerationSettings &settings, OnToken &&onToken) {
  Sampler sampler(settings.sampler);
  Generation generation;
  int32_t token = 0;
  std::span<const int32_t> next = prompt;
  while (generation.tokens.size() < settings.maxTokens) {
    Result<std::span<const float>> logits = session.step(sequence, next);
    if (!logits && logits.error().status == LLMOPT_CONTEXT_FULL &&
        !generation.tokens.empty()) {
      generation.reason = StopReason::ContextFull;
      return generation;
    }
    if (!logits)
      return logits.error();
    token = sampler.sample(*logits);
    if (detail::contains(settings.stop, token)) {
      generation.reason = StopReason::StopToken;
      return generation;
    }
    generation.tokens.push_back(token);
    if (!onToken(token)) {
      generation.reason = StopReason::Cancelled;
      return generation;
    }
    next = std::span<const int32_t>(&token, 1);
  }
  return generation;
}

/// The same without being told of tokens.
inline Result<Generation> generate(Session &session, uint32_t sequence,
                                   std::span<const int32_t> prompt,
                                   const GenerationSettings &settings) {
  return generate(session, sequence, prompt, settings,
                  [](int32_t) { return true; });
}

//===----------------------------------------------------------------------===//
// Beam search
//===----------------------------------------------------------------------===//

/// How searchBeams looks for likely texts.
struct BeamSettings {
  uint32_t beams = 4;
  size_t maxTokens = 64;
  std::vector<int32_t> stop; ///< tokens that end a text
  /// A text of n tokens has the score (sum of log probabilities) / n to this
  /// power; n counts the token that ended it.
  double lengthPenalty = 1;
  /// End with as many ended texts as beams, even if a longer one may be better.
  bool earlyStopping = false;
};

/// One of the texts that a search found; the token that ended it is no part of
/// it.
struct Hypothesis {
  std::vector<int32_t> tokens;
  double score = 0;
  bool stopped = false; ///< by a stop token
};

namespace detail {

/// Beam search with the rules of Hugging Face transformers: of the
/// (1 + stop tokens) * beams best continuations, those that end and are among
/// the `beams` best are results, the best of the others are the next beams.
class BeamSearch {
public:
  BeamSearch(Session &session, const BeamSettings &settings)
      : session(session), settings(settings) {}

  template <typename OnPrompt>
  Result<std::vector<Hypothesis>> run(std::span<const int32_t> prompt,
                                      OnPrompt &&onPrompt) {
    for (uint32_t i = 0; i < settings.beams; ++i)
      if (Status status = session.truncate(i, 0); !status)
        return status.error();
    if (settings.maxTokens == 0 || settings.beams == 0)
      return results;
    Result<std::span<const float>> logits = session.step(0, prompt);
    if (!logits)
      return logits.error();
    onPrompt();
    beams = {Beam{}};
    consider(0, *logits);
    while (advance()) {
      const Status status = step();
      if (!status && status.error().status == LLMOPT_CONTEXT_FULL) {
        for (const Beam &beam : beams)
          addResult(beam.tokens, beam.score, beam.tokens.size(), false);
        return results;
      }
      if (!status)
        return status.error();
    }
    return results;
  }

private:
  /// A text that goes on, in a sequence of the session.
  struct Beam {
    std::vector<int32_t> tokens;
    double score = 0; ///< sum of log probabilities
    uint32_t sequence = 0;
  };
  /// A beam and one more token.
  struct Candidate {
    double score;
    size_t beam;
    int32_t token;

    bool operator<(const Candidate &other) const {
      if (score != other.score)
        return score > other.score;
      return beam != other.beam ? beam < other.beam : token < other.token;
    }
  };

  size_t kept() const { return (1 + settings.stop.size()) * settings.beams; }

  /// Adds the best continuations of a beam.
  void consider(size_t beam, std::span<const float> logits) {
    const float largest = orderable(logits[mostLikely(logits)]);
    const size_t count = std::min(kept(), logits.size());
    double sum = 0;
    best.clear();
    for (size_t i = 0; i < logits.size(); ++i) {
      const float logit = orderable(logits[i]);
      sum += std::exp(logit - largest);
      if (best.size() < count || logit > best.back().logit)
        rank({logit, static_cast<int32_t>(i)}, count);
    }
    const double offset = beams[beam].score - largest - std::log(sum);
    for (const Ranked &each : best)
      candidates.push_back({each.logit + offset, beam, each.token});
  }

  struct Ranked {
    float logit;
    int32_t token;
  };

  /// Puts a token among the `count` best; of equals, the first comes first.
  void rank(Ranked token, size_t count) {
    const auto isLess = [](const Ranked &a, const Ranked &b) {
      return a.logit > b.logit;
    };
    best.insert(std::upper_bound(best.begin(), best.end(), token, isLess),
                token);
    if (best.size() > count)
      best.pop_back();
  }

  /// Turns candidates into results and the next beams; false at the end.
  bool advance() {
    std::sort(candidates.begin(), candidates.end());
    candidates.resize(std::min(candidates.size(), kept()));
    const size_t length = beams[0].tokens.size() + 1;
    const bool isLast = length == settings.maxTokens;
    std::vector<Candidate> next;
    for (size_t rank = 0; rank < candidates.size(); ++rank) {
      const Candidate &candidate = candidates[rank];
      const bool stops = contains(settings.stop, candidate.token);
      if (!stops && !isLast) {
        if (next.size() < settings.beams)
          next.push_back(candidate);
        continue;
      }
      if (rank >= settings.beams)
        continue;
      std::vector<int32_t> tokens = beams[candidate.beam].tokens;
      if (!stops)
        tokens.push_back(candidate.token);
      addResult(std::move(tokens), candidate.score, length, stops);
    }
    candidates.clear();
    if (isLast || next.empty() || !canImprove(next[0].score, length))
      return false;
    moveTo(next);
    return true;
  }

  /// Puts every new beam into a sequence that holds its text but for the last
  /// token: the first that continues a beam takes its sequence, the others get
  /// copies in the sequences of beams that end here.
  void moveTo(std::span<const Candidate> next) {
    std::vector<bool> isTaken(settings.beams, false);
    for (const Candidate &candidate : next)
      isTaken[beams[candidate.beam].sequence] = true;
    std::vector<bool> isContinued(beams.size(), false);
    std::vector<Beam> moved;
    for (const Candidate &candidate : next) {
      const Beam &parent = beams[candidate.beam];
      Beam beam = {parent.tokens, candidate.score, parent.sequence};
      beam.tokens.push_back(candidate.token);
      if (isContinued[candidate.beam]) {
        beam.sequence = static_cast<uint32_t>(
            std::find(isTaken.begin(), isTaken.end(), false) - isTaken.begin());
        isTaken[beam.sequence] = true;
        copies.push_back({parent.sequence, beam.sequence});
      }
      isContinued[candidate.beam] = true;
      moved.push_back(std::move(beam));
    }
    beams = std::move(moved);
  }

  /// One token of every beam.
  Status step() {
    for (const auto &[from, to] : std::exchange(copies, {}))
      if (Status status = session.copy(from, to); !status)
        return status;
    std::vector<llmopt_piece> pieces(beams.size());
    for (size_t i = 0; i < beams.size(); ++i) {
      pieces[i].sequence = beams[i].sequence;
      pieces[i].tokens = &beams[i].tokens.back();
      pieces[i].count = 1;
      pieces[i].want = LLMOPT_WANT_LAST;
    }
    if (Status status = session.step(pieces); !status)
      return status;
    for (size_t i = 0; i < beams.size(); ++i)
      consider(i, std::span(pieces[i].logits, session.vocabularySize()));
    return std::monostate{};
  }

  /// False if no beam can become better than the worst result.
  bool canImprove(double bestScore, size_t length) const {
    if (results.size() < settings.beams)
      return true;
    return !settings.earlyStopping &&
           scoreOf(bestScore, length) > results.back().score;
  }

  double scoreOf(double sum, size_t length) const {
    return sum / std::pow(static_cast<double>(length), settings.lengthPenalty);
  }

  void addResult(std::vector<int32_t> tokens, double sum, size_t length,
                 bool stopped) {
    const double score = scoreOf(sum, length);
    const auto place = std::find_if(
        results.begin(), results.end(),
        [score](const Hypothesis &other) { return other.score < score; });
    results.insert(place, {std::move(tokens), score, stopped});
    if (results.size() > settings.beams)
      results.pop_back();
  }

  Session &session;
  const BeamSettings &settings;
  std::vector<Beam> beams;
  std::vector<Candidate> candidates;
  std::vector<Ranked> best;
  std::vector<std::pair<uint32_t, uint32_t>> copies;
  std::vector<Hypothesis> results; ///< the best first
};

} // namespace detail

/// The most likely texts after `prompt` that beam search finds, the best first:
/// at most as many as beams. Takes sequences 0 to beams - 1 of the session,
/// whatever they hold. `onPrompt()` is called when the prompt has been read.
template <typename OnPrompt>
Result<std::vector<Hypothesis>>
searchBeams(Session &session, std::span<const int32_t> prompt,
            const BeamSettings &settings, OnPrompt &&onPrompt) {
  return detail::BeamSearch(session, settings).run(prompt, onPrompt);
}

/// The same without being told of the prompt.
inline Result<std::vector<Hypothesis>>
searchBeams(Session &session, std::span<const int32_t> prompt,
            const BeamSettings &settings) {
  return searchBeams(session, prompt, settings, [] {});
}

} // namespace llmopt

#endif // LLMOPT_GENERATION_HPP
