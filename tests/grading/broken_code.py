"""Code as it comes from real classes; see `broken`."""

from __future__ import annotations

from tests.grading.broken import change, ends, own_cell
from tests.grading.conftest import ANSWERS, cell_of


@ends(18)
def syntax_error_in_one_answer(n):
    change(n, "merge_pair", "while i < len(ids):", "while i < len(ids)")


@ends(18)
def non_breaking_spaces_as_indentation(n):
    change(n, "merge_pair", "    merged = []", "\u00a0\u00a0\u00a0\u00a0merged = []")


@ends(20)
def non_breaking_spaces_in_comments(n):
    change(n, "merge_pair", "    merged = []", "    #\u00a0nothing\u00a0yet\u200b\n    merged = []")


@ends(20)
def tabs(n):
    for name in ANSWERS:
        cell_of(n, name)["source"] = cell_of(n, name)["source"].replace("    ", "\t")


@ends(20)
def a_constant_of_words(n):
    """Names for texts are good style."""
    own_cell(n, 'UNKNOWN = "[UNK]"\nCONTINUED = "##"\nBROKEN_OFF = "\\ufffd"')
    change(n, "cut_word", '"##" + word', "CONTINUED + word")
    change(n, "decode_stream", 'yield "\\ufffd"', "yield BROKEN_OFF")


@ends(20)
def helpers_in_cells_of_their_own(n):
    at = n["cells"].index(cell_of(n, "bpe_encode"))
    own_cell(n, "from functools import lru_cache\n\n\n@lru_cache\ndef joined(a, b):\n    return a + b", at)
    change(n, "bpe_encode", '["".join(best)]', "[joined(*best)]")


@ends(20)
def warnings_and_progress_bars(n):
    change(
        n, "batch_for_generation", "torch.tensor(prompt)", "torch.tensor(torch.tensor(prompt))"
    )  # torch warns
    change(n, "merge_pair", "    merged = []", "    merged = []\n    pattern = '\\d'")  # and so does Python
    bar = "for _ in tqdm(range(300)):\n    print('.', file=sys.stderr)"
    own_cell(n, f"import sys\n\nfrom tqdm.auto import tqdm\n\n{bar}")


@ends(20)
def answers_that_print(n):
    change(
        n, "bpe_encode", "    tokens = list(word)", "    tokens = list(word)\n    print('tokens:', tokens)"
    )


@ends(20)
def error_in_a_cell_before_others(n):
    own_cell(n, "print(not_yet_defined)\n")
    own_cell(n, "1 / 0")
    own_cell(n, "def half(:\n    pass")


@ends(20)
def exit_in_a_cell(n):
    for text in (
        "exit()",
        "quit",
        "import sys\n\nsys.exit('enough')",
        "raise SystemExit",
        "raise KeyboardInterrupt",
    ):
        own_cell(n, text)


@ends(20, incident="interrupted")
def endless_loop_in_a_cell(n):
    own_cell(n, "import time\n\nwhile True:\n    time.sleep(0.01)")


@ends(17)
def endless_loop_in_an_answer(n):
    change(n, "bpe_encode", "            break\n", "            continue\n")


@ends(20)
def waits_for_input(n):
    own_cell(n, "name = input('Your name? ')\nprint('Hello', name)")
    own_cell(n, "import getpass\n\ngetpass.getpass()")
    own_cell(n, "breakpoint()")


@ends(20)
def installs_packages(n):
    own_cell(n, "!pip install -q torch regex\n%pip install tqdm\nimport torch, regex")


@ends(20)
def plots(n):
    own_cell(n, "%matplotlib inline\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2, 3])\nplt.show()")


@ends(20)
def magics(n):
    for text in ("%load_ext autoreload\n%autoreload 2", "!ls -l", "%cd /tmp", "%%bash\necho hello", "%%html\n<b>bold</b>", "%timeit -n1 -r1 sum([])", "%who", "%%capture\nprint(1)", "%unknown_magic"):  # fmt: skip
        own_cell(n, text)


@ends(20)
def timed_answer(n):
    cell = cell_of(n, "merge_pair")
    cell["source"] = "%%time\n" + cell["source"]


@ends(20)
def everything_forgotten_first(n):
    own_cell(n, "%reset -f", 0)


@ends(20)
def top_level_await(n):
    own_cell(n, "import asyncio\n\nawait asyncio.sleep(0.01)\nasync with asyncio.timeout(1):\n    pass")


@ends(20)
def ends_in_semicolon_and_question_mark(n):
    at = n["cells"].index(cell_of(n, "check_merge_pair"))
    for text in (
        "merge_pair([1, 2], (1, 2), 3);",
        "merge_pair?",
        "?merge_pair",
        "merge_pair??",
        "import math;",
    ):
        own_cell(n, text, at)


@ends(20)
def prints_ten_megabytes(n):
    own_cell(n, "for i in range(1_000_000):\n    print('line', i)")


@ends(20)
def shows_everything_there_is(n):
    own_cell(n, "import torch\n\nhelp(torch)\ntorch.arange(10_000_000).tolist()")


@ends(20)
def shadows_check(n):
    own_cell(n, "check = [1, 2, 3]")


@ends(17)
def shadows_sum(n):
    """It fails in the student's own notebook, too."""
    own_cell(n, "sum = 0")


@ends(20)
def other_settings_of_torch(n):
    own_cell(
        n,
        "import torch\n\ntorch.set_default_dtype(torch.float64)\ntorch.set_num_threads(8)\ntorch.manual_seed(3)",
    )


@ends(20)
def warnings_are_errors(n):
    own_cell(n, "import warnings\n\nwarnings.simplefilter('error')")


@ends(20)
def output_sent_elsewhere(n):
    own_cell(n, "import sys\n\nsys.stdout = open('log.txt', 'w')\nprint('gone')")
    own_cell(n, "sys.stdout.close()\nprint('closed')", 4)


@ends(20)
def threads_that_go_on(n):
    own_cell(n, "import threading, time\n\nthreading.Thread(target=time.sleep, args=(60,)).start()")


@ends(20)
def processes_that_go_on(n):
    own_cell(n, "import subprocess\n\nserver = subprocess.Popen(['sleep', '60'])")


@ends(20)
def recursion_in_a_cell(n):
    own_cell(n, "def down(n):\n    return down(n + 1)\n\n\ndown(0)")


@ends(20)
def files_written_and_folder_left(n):
    own_cell(
        n,
        "import os\n\nos.makedirs('data')\nopen('data/x.txt', 'w').write('x')\nos.chdir('data')\nos.environ.clear()",
    )


@ends(20)
def unlearned_after_the_check(n):
    own_cell(n, "def merge_pair(ids, pair, new_id):\n    return 'another try'", len(n["cells"]))


@ends(17)
def helper_defined_too_late(n):
    """It ran in the student's session, where the helper was still known; from top to bottom it does not."""
    change(
        n,
        "bpe_encode",
        "    rank = {pair: i for i, pair in enumerate(merges)}",
        "    rank = ranks_of(merges)",
    )
    own_cell(
        n, "def ranks_of(merges):\n    return {pair: i for i, pair in enumerate(merges)}", len(n["cells"])
    )
