//===- OptionsTest.cpp - Flags and contradictions ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/CompileFlags.h"
#include "gtest/gtest.h"

using namespace llmopt;

namespace {

struct Parsed {
  CompileOptions options;
  std::vector<std::string> errors;
};

/// Parses flags as llmopt-compile does; the model is "m.onnx".
std::unique_ptr<Parsed> parse(std::vector<const char *> arguments) {
  auto parsed = std::make_unique<Parsed>();
  FlagParser parser("tool", "", "");
  addOutputFlags(parser, parsed->options);
  addModelFlags(parser, parsed->options);
  addJobsFlag(parser, parsed->options);
  FlagParser::Result result = parser.parse(arguments);
  parsed->options.given = result.given;
  parsed->options.model = "m.onnx";
  parsed->errors = result.errors;
  for (const std::string &error : validate(parsed->options))
    parsed->errors.push_back(error);
  return parsed;
}

std::string firstError(std::vector<const char *> arguments) {
  std::unique_ptr<Parsed> parsed = parse(std::move(arguments));
  return parsed->errors.empty() ? "" : parsed->errors.front();
}

TEST(Flags, AllSpellings) {
  for (std::vector<const char *> spelling :
       std::vector<std::vector<const char *>>{{"-quant=int8"},
                                              {"--quant=int8"},
                                              {"-quant", "int8"},
                                              {"--quant", "int8"}}) {
    std::unique_ptr<Parsed> parsed = parse(spelling);
    EXPECT_TRUE(parsed->errors.empty());
    EXPECT_EQ(parsed->options.quant, CompileOptions::Quant::Int8);
  }
}

TEST(Flags, JoinedValues) {
  std::unique_ptr<Parsed> parsed = parse({"-O0", "-j4"});
  EXPECT_TRUE(parsed->errors.empty());
  EXPECT_EQ(parsed->options.level, 0u);
  EXPECT_EQ(parsed->options.jobs, 4u);
  EXPECT_EQ(firstError({"-O1"}), "'-O' expects 0 or 2, not '1'");
  EXPECT_EQ(firstError({"-j0"}),
            "'-j' expects a whole number from 1 to 1024, not '0'");
}

TEST(Flags, PositionalArguments) {
  CompileOptions options;
  FlagParser parser("tool", "", "");
  addOutputFlags(parser, options);
  FlagParser::Result result =
      parser.parse({"a.onnx", "-", "-o", "-", "--", "-emit=so"});
  EXPECT_TRUE(result.errors.empty());
  EXPECT_EQ(result.positional,
            (std::vector<std::string>{"a.onnx", "-", "-emit=so"}));
  EXPECT_EQ(options.output, "-");
}

TEST(Flags, WrongValues) {
  EXPECT_EQ(firstError({"-quant=int9"}),
            "'-quant' expects none|bf16|int8|int4|int3|int2|nf4, not 'int9'");
  EXPECT_EQ(firstError({"-quant="}),
            "'-quant' expects none|bf16|int8|int4|int3|int2|nf4, not ''");
  EXPECT_EQ(firstError({"-quant"}), "'-quant' needs a value");
  EXPECT_EQ(firstError({"-quant=int8", "-quant=none"}),
            "'-quant' is given more than once");
  EXPECT_EQ(firstError({"-sparsity=1"}),
            "'-sparsity' expects a number from 0 to below 1, not '1'");
  EXPECT_EQ(firstError({"-sparsity=nan"}),
            "'-sparsity' expects a number from 0 to below 1, not 'nan'");
  EXPECT_EQ(firstError({"-sparsity=-0.1"}),
            "'-sparsity' expects a number from 0 to below 1, not '-0.1'");
  EXPECT_EQ(
      firstError({"-max-batch=99999999999"}),
      "'-max-batch' expects a whole number from 1 to 1024, not '99999999999'");
  EXPECT_EQ(firstError({"-mcpu=znver4,,"}),
            "'-mcpu' expects names separated by commas, not 'znver4,,'");
}

TEST(Flags, Unknown) {
  EXPECT_EQ(firstError({"-qant=int8"}),
            "unknown flag '-qant'; did you mean '-quant'?");
  EXPECT_EQ(firstError({"-prune=0.5"}),
            "unknown flag '-prune'; see 'tool --help'");
  EXPECT_EQ(firstError({"-debug-pass=Structure"}),
            "unknown flag '-debug-pass'; see 'tool --help'");
}

TEST(Validation, Contradictions) {
  EXPECT_EQ(firstError({"-sparsity-method=magnitude"}),
            "'-sparsity-method' needs '-sparsity' above 0");
  EXPECT_EQ(firstError({"-act=dynamic"}),
            "'-act=dynamic' needs integer weights, such as '-quant=int8'");
  EXPECT_EQ(firstError({"-act=none"}),
            "'-act=none' has no effect without '-quant'; leave it out");
  EXPECT_EQ(firstError({"-quant=int8", "-act=none", "-act-group=64"}),
            "'-act-group' needs quantized activations: '-quant=int8' without "
            "'-act=none'");
  EXPECT_EQ(firstError({"-quant=int8", "-group-size=64", "-scale-type=f32"}),
            "");
  EXPECT_EQ(firstError({"-group-size=64"}),
            "'-group-size' needs quantized weights, such as '-quant=int4'");
  EXPECT_EQ(firstError({"-quant=int8", "-scale-type=f32"}),
            "'-scale-type' needs weights with groups, such as '-quant=int4'");
  EXPECT_EQ(firstError({"-quant=nf4", "-zero-point=int"}),
            "'-zero-point=int' needs '-quant=int4', int3 or int2");
  EXPECT_EQ(
      firstError({"-quant=int8", "-embedding-quant=int4", "-act-group=64"}),
      "'-act-group' must divide the groups of '-embedding-quant=int4', "
      "which have 32 columns");
  EXPECT_EQ(firstError({"-quant=int4", "-group-size=48"}),
            "'-group-size' must be a multiple of 32, not 48");
  EXPECT_EQ(firstError({"-quant=int4", "-act-group=64"}),
            "'-act-group' must divide the group size of the weights, but 32 is "
            "no multiple of 64");
  EXPECT_EQ(firstError({"-quant=int8", "-act-group=48"}),
            "'-act-group' must be a multiple of 32, not 48");
  EXPECT_EQ(firstError({"-o", "-"}),
            "a library cannot be written to standard output; use '-o FILE'");
  EXPECT_EQ(firstError({"-emit=onnx", "-report=r.json"}),
            "'-report' needs a whole compilation; leave '-emit' out");
  EXPECT_EQ(firstError({"-report=r.html"}),
            "'-report' expects a file name that ends with .json, not 'r.html'");
  EXPECT_EQ(firstError({"-o", "m.onnx"}),
            "the output 'm.onnx' is the model itself");
  EXPECT_EQ(firstError({"-o", "./new/../m.onnx"}),
            "the output './new/../m.onnx' is the model itself");
  EXPECT_EQ(firstError({"-o", "r.json", "-report=./r.json"}),
            "'-report' and '-o' name the same file 'r.json'");
  EXPECT_EQ(firstError({"-emit=asm", "-mcpu=znver4,x86-64-v3"}),
            "'-emit' of code needs one CPU, but '-mcpu' names 2");
  EXPECT_EQ(firstError(
                {"-quant=int8", "-sparsity=0.6", "-sparsity-method=magnitude"}),
            "");
}

TEST(Validation, Patterns) {
  EXPECT_EQ(firstError({"-sparsity-pattern=2:4"}), "");
  EXPECT_EQ(firstError({"-sparsity-pattern=2:4", "-sparsity=0.5"}), "");
  EXPECT_EQ(firstError({"-sparsity-pattern=1:4", "-sparsity=0.5"}),
            "'-sparsity-pattern=1:4' makes 0.75 of the weights zero; leave "
            "'-sparsity' out");
  EXPECT_EQ(firstError({"-sparsity-pattern=unstructured"}),
            "'-sparsity-pattern=unstructured' needs '-sparsity' above 0");
  for (const char *bad : {"4:4", "0:4", "2", "2:", "a:4", "2:64"})
    EXPECT_EQ(
        firstError({(std::string("-sparsity-pattern=") + bad).c_str()}),
        std::string("'-sparsity-pattern' expects unstructured or N:M with 0 < "
                    "N < M <= 32, such as 2:4, not '") +
            bad + "'");
}

TEST(Validation, CalibratedRounding) {
  auto calibrates = [](std::vector<const char *> flags) {
    return parse(std::move(flags))->options.calibratesRounding();
  };
  EXPECT_TRUE(calibrates({"-quant=int4"}));
  EXPECT_TRUE(calibrates({"-quant=nf4"}));
  EXPECT_FALSE(calibrates({"-quant=int8"}));
  EXPECT_TRUE(calibrates({"-quant=int8", "-quant-method=gptq"}));
  EXPECT_TRUE(calibrates({"-quant=int8", "-sparsity=0.5"}));
  EXPECT_FALSE(calibrates({"-quant=int8", "-sparsity=0.5", "-O0"}));
  EXPECT_FALSE(calibrates(
      {"-quant=int8", "-sparsity=0.5", "-sparsity-method=magnitude"}));
  EXPECT_FALSE(calibrates({"-quant=int4", "-quant-method=rtn"}));
  EXPECT_FALSE(calibrates({"-quant=int4", "-O0"}));
  EXPECT_EQ(firstError({"-quant-method=rtn"}),
            "'-quant-method' needs quantized weights, such as '-quant=int4'");
  EXPECT_EQ(firstError({"-quant=int4", "-quant-method=gptq", "-O0"}),
            "'-O0' calibrates nothing, but '-quant-method=gptq' needs "
            "calibration");
}

TEST(Targets, BestFirst) {
  std::unique_ptr<Parsed> parsed = parse({"-mcpu=x86-64-v3,znver4"});
  std::vector<std::string> errors;
  std::vector<CpuTarget> targets = resolveTargets(parsed->options, errors);
  EXPECT_TRUE(errors.empty());
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].name, "znver4");
  EXPECT_EQ(targets[1].name, "x86-64-v3");
}

TEST(Targets, Errors) {
  std::unique_ptr<Parsed> parsed = parse({"-mcpu=znver4,znver4,foo,x86-64"});
  std::vector<std::string> errors;
  resolveTargets(parsed->options, errors);
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0], "'-mcpu' names 'znver4' more than once");
  EXPECT_NE(errors[1].find("unknown CPU 'foo'"), std::string::npos);
  EXPECT_NE(errors[2].find("CPU 'x86-64' lacks avx2"), std::string::npos);
}

TEST(Recipe, TellsDifferentResultsApart) {
  EXPECT_EQ(recipe(parse({})->options),
            recipe(parse({"-j2", "-quant=none"})->options));
  EXPECT_NE(recipe(parse({"-quant=int8"})->options),
            recipe(parse({"-quant=int8", "-act=none"})->options));
  EXPECT_NE(recipe(parse({"-sparsity=0.5"})->options),
            recipe(parse({"-sparsity=0.6"})->options));
  EXPECT_EQ(recipe(parse({"-quant=int8"})->options),
            recipe(parse({"-quant=int8", "-act=dynamic"})->options));
}

} // namespace
