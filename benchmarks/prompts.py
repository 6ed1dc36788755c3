"""Texts that the benchmarks feed; their own, so that no corpus is needed.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

# The text of one prompt is cut to its number of tokens: 5 to 200.
LENGTHS = (5, 17, 48, 101, 200)

_SEA = (
    "The lighthouse keeper wrote down the weather every evening. On the first of March the wind came from the north-west, the glass "
    "stood at 29.4 inches, and three ships passed before dark. He lit the lamp at 6:10, trimmed the wick twice, and read for an hour "
    "by its light. At midnight a fourth ship signalled for a pilot, but the sea ran so high between the rocks that no boat could leave "
    "the harbour. She stood off until dawn. When the light grew grey he saw that she had lost her foremast and that the crew were busy "
    "cutting the rigging away. He hoisted the flag for deep water, so that she would not try the narrow passage, and went down to the "
    "village to tell them. By noon the storm had blown itself out; the pilot reached her in twenty minutes, and in the afternoon she "
    "lay safe behind the mole. The captain, a tall man with a scar over one eye, climbed up to the tower to thank the keeper, who "
    "answered that the lamp had done it, and entered the name of the ship in his book."
)
_COOKING = "To make bread you need flour, water, salt and yeast. First dissolve the yeast in warm water and wait for ten minutes."
_CODE = (
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n\n\n"
    "for i in range(10):\n    print(i, fibonacci(i))\n\n# The running time grows exponentially with n, because each call"
)
_HISTORY = (
    "In 1842 the railway between the two cities was opened for passengers. It was 45 kilometres long and had been built in four years by "
    "more than 3000 workers; the journey took one hour and a half, a third of the time of the stage coach. Within ten years the number of "
    "travellers had grown from 120,000 to almost a million, freight had left the canal, and towns along the line had doubled in size. "
    "Critics complained about the noise, about the smoke, and about the price of a ticket, which"
)

TEXTS = ("The capital of Italy is Rome, of course.", _COOKING, _CODE, _HISTORY, _SEA)

QUESTIONS = (
    "What is the capital of France?",
    "What is gravity?",
    "Name three colors.",
    "Write a short poem about the sea.",
    "How many days are in a week?",
    "Who wrote Romeo and Juliet?",
    "What is 2 + 2?",
    "Explain photosynthesis to a child.",
    "Translate 'good morning' into Spanish.",
    "Give me advice for learning to play the piano.",
)
