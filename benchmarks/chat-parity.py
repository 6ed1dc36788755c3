"""Ten questions through `llmopt chat` in float32 against PyTorch's greedy answers.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import subprocess
import sys
from pathlib import Path

import prompts
import support


def pytorch_answers(checkpoint: Path, limit: int) -> list[str]:
    """Greedy answers by Transformers alone: its tokenizer, its template, its generation loop."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = support.load_pytorch(checkpoint)
    answers = []
    for question in prompts.QUESTIONS:
        conversation = [{"role": "user", "content": question}]
        inputs = tokenizer.apply_chat_template(conversation, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        output = model.generate(**inputs, do_sample=False, max_new_tokens=limit)
        answers.append(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return answers


def llmopt_answer(library: Path, tokenizer: Path, question: str, limit: int, threads: int) -> str:
    command = [sys.executable, "-m", "llmopt", "chat", str(library), "--tokenizer", str(tokenizer)]
    command += ["--prompt", question, "--max-tokens", str(limit), "--threads", str(threads)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {run.returncode}:\n{run.stderr}")
    return run.stdout.removesuffix("\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, help="compiled float32 model of SmolLM2 (default: compile one)")
    parser.add_argument("--max-tokens", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    model = support.get_model("genai")
    library = options.library or support.compile_library(model, ["-quant=none"], "chat-parity")
    failures = []
    for question, expected in zip(prompts.QUESTIONS, pytorch_answers(support.get_model("hf"), options.max_tokens)):
        answer = llmopt_answer(library, model, question, options.max_tokens, options.threads)
        print(f"{'same' if answer == expected else 'DIFFERS'}  {question}", flush=True)
        if answer != expected:
            failures.append(f"{question}\n  expected {expected!r}\n  got      {answer!r}")
    print(f"{len(prompts.QUESTIONS) - len(failures)} of {len(prompts.QUESTIONS)} answers are the same")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
