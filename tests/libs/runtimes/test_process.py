"""Models in processes of their own, killed, hung, and made to answer nonsense."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from headrace.contracts import Signature, Tensor
from headrace.runtimes import BadAnswer, BadModel, Description, Unavailable, load, starts_slowly, write_directory
from headrace.runtimes.base import OutOfProcess
from headrace.runtimes.process import launch
from headrace.runtimes.process.answers import checked
from headrace.runtimes.process.columns import Batch, merged
from headrace.runtimes.process.environments import environment_of

from .conftest import ABOUT, save_process

ROW = {"wind": [1.0], "distance": [0.0]}
Load = Callable[..., Any]

# A child that answers by what the row asks for: each number of `wind` is one way to go wrong.
FAULTY = """
import json, os, struct, sys, time

def frame(text):
    body = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack(">I", len(body)) + body

def read():
    (length,) = struct.unpack(">I", sys.stdin.buffer.read(4))
    return json.loads(sys.stdin.buffer.read(length))

def say(data):
    answers.write(data)
    answers.flush()

answers = open(os.environ["HEADRACE_ANSWERS"], "wb")
read()
say(frame({"hello": {"version": 1}}))
while True:
    asked = read()
    kind = int(asked["columns"]["wind"][0])
    good = {"id": asked["id"], "outputs": {"label": [True], "probability": [0.5]}}
    if kind == 1: os.kill(os.getpid(), 9)
    if kind == 2: time.sleep(600)
    if kind == 3: say(b"Loading required package: forest\\n")
    if kind == 4: say(frame(good)[:9]); sys.exit("half a frame, then nothing")
    if kind == 5: say(frame(good)[:9]); time.sleep(600)
    if kind == 6: say(struct.pack(">I", 4_000_000_000) + b"x" * 1000)
    if kind == 7: say(frame(b"[1, 2]"))
    if kind == 8: say(frame({**good, "id": 17}))
    if kind == 9: say(frame({"id": asked["id"]}))
    if kind == 10: print("x" * 50_000_000, flush=True)
    if kind == 11: say(frame({"id": asked["id"], "error": "no such season"})); continue
    if kind in (0, 10): say(frame(good))
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Load]:
    """Loads the code of a function or program, and closes it in the end."""
    with contextlib.ExitStack() as stack:

        def make(code: str, **options: Any) -> Any:
            save_process(tmp_path / "model", textwrap.dedent(code), **options)
            return stack.enter_context(closing(load(tmp_path / "model")))

        yield make


@pytest.fixture
def faulty(loaded: Load) -> Any:
    """A program that can go wrong in every way."""
    return loaded(FAULTY, command=["python", "model.py"], timeout_ms=5000)


def ask(model: Any, kind: float = 0) -> Any:
    """One row that asks for a way to go wrong."""
    return model.answer({"wind": [kind], "distance": [0.0]})


def children(parent: int | None = None) -> set[int]:
    """The processes of models that this process, or another, has started and not yet buried."""
    return {each.pid for each in psutil.Process(parent).children() if _is_launcher(each)}


def _is_launcher(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return launch.__file__ in process.cmdline()
    return False


def kill_children() -> None:
    """Kill the processes of all models, and wait until they are gone."""
    made = children()
    for pid in made:
        os.killpg(pid, signal.SIGKILL)
    _until(lambda: not any(map(_running, made)))


LOST = {
    1: r"was lost, and is started anew: it ended with signal SIGKILL",
    4: r"it ended with exit code 1; the last it wrote: half a frame, then nothing",
}
HANGING = {"no answer": 2, "half a frame": 5}
NONSENSE = {
    3: r"a frame of 1282367844 bytes; at most 67108864 are read",
    6: r"a frame of 4000000000 bytes",
    7: r"b'\[1, 2\]' is no JSON object",
    8: r'it does not answer request 1, but says \{"id": 17',
    9: r"its answer has neither outputs nor an error",
}


@pytest.mark.parametrize("kind", LOST)
def test_a_process_that_is_lost_fails_its_request_alone(faulty: Any, kind: int) -> None:
    """Killed, gone in the midst of an answer: Unavailable with the reason; the next request is answered."""
    with pytest.raises(Unavailable, match=LOST[kind]):
        ask(faulty, kind)
    assert ask(faulty)["label"].tolist() == [True]


@pytest.mark.parametrize("kind", HANGING)
def test_a_process_that_hangs_is_killed_when_its_time_is_over(loaded: Load, kind: str) -> None:
    """Before or in the midst of an answer; another one takes its place."""
    model = loaded(FAULTY, command=["python", "model.py"], timeout_ms=500)
    (hung,) = children()
    with pytest.raises(Unavailable, match=r"was lost, and is started anew: it did not answer in time"):
        ask(model, HANGING[kind])
    assert not _running(hung)

    def answered() -> bool:
        with contextlib.suppress(Unavailable):
            return ask(model)["label"].tolist() == [True]
        return False

    _until(answered)


@pytest.mark.parametrize("kind", NONSENSE)
def test_what_is_no_answer_is_said_and_the_process_replaced(faulty: Any, kind: int) -> None:
    """Text where a frame should be, a huge frame, another request's answer: whatever follows could not be trusted."""
    with pytest.raises(BadAnswer, match=NONSENSE[kind]):
        ask(faulty, kind)
    assert ask(faulty)["label"].tolist() == [True]


def test_an_error_of_a_request_is_told_and_the_process_goes_on(faulty: Any) -> None:
    """The same process answers the next one."""
    before = children()
    with pytest.raises(BadAnswer, match="its code failed: no such season"):
        ask(faulty, 11)
    assert ask(faulty)["label"].tolist() == [True]
    assert children() == before


def test_what_a_process_prints_is_read_and_forgotten(faulty: Any) -> None:
    """Fifty megabytes on standard output neither block it nor fill anything."""
    assert ask(faulty, 10)["label"].tolist() == [True]


def test_a_process_that_ended_while_idle_costs_nobody_an_answer(faulty: Any) -> None:
    """It is found out before the next row is given to it."""
    kill_children()
    assert ask(faulty)["label"].tolist() == [True]


def test_one_that_always_dies_is_unavailable_and_says_so(loaded: Load) -> None:
    """After five deaths in a row callers are refused at once, and `problem` has the reason."""
    model = loaded("import os\ndef predict(columns): os._exit(7)")
    started = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unavailable, match="exit code 7"):
            model.answer(ROW)
        if model.problem:
            break
    assert isinstance(model, OutOfProcess)
    assert "5 times in a row" in (model.problem or "")
    with pytest.raises(Unavailable, match="5 times in a row"):
        model.answer(ROW)
    assert time.monotonic() - started < 20


def test_requests_beside_a_hanging_one_are_answered_by_the_other_process(loaded: Load) -> None:
    """Each process answers one batch at a time; who hangs holds one of them until its time is over."""
    model = loaded(FAULTY, command=["python", "model.py"], timeout_ms=1500, workers=2)

    def hang() -> None:
        with contextlib.suppress(Unavailable):
            ask(model, 2)

    hanging = threading.Thread(target=hang)
    hanging.start()
    answers = [ask(model)["probability"].tolist() for _ in range(20)]
    assert answers == [[0.5]] * 20
    assert hanging.is_alive()
    assert model.slots == 2
    hanging.join()


def test_who_finds_no_process_free_in_time_is_told(loaded: Load) -> None:
    """With what would help."""
    code = """
        import time
        def predict(columns):
            time.sleep(columns["wind"][0])
            return {"label": [True], "probability": [1.0]}
    """
    model = loaded(code, timeout_ms=800, merge=False)
    others = [threading.Thread(target=lambda: model.answer({"wind": [0.5], "distance": [0.0]})) for _ in range(2)]
    for other in others:
        other.start()
    _until(lambda: len(model._workers._line) == 1)
    with pytest.raises(Unavailable, match=r"all of its processes \(1\) are busy"):
        model.answer(ROW)
    for other in others:
        other.join()


# starting


def test_the_last_lines_of_one_that_ends_at_its_start_are_in_the_error(loaded: Load) -> None:
    """A module that does not import says why."""
    with pytest.raises(BadModel, match=r"ended with exit code 1.*ModuleNotFoundError: No module named 'forests'"):
        loaded("import forests")


def test_one_that_never_says_hello_is_given_up(loaded: Load) -> None:
    """After `start_timeout_s`; nothing of it is left."""
    before = children()
    with pytest.raises(BadModel, match="it did not say hello in time; the last it wrote: reading the forest"):
        loaded(
            "import time; print('reading the forest', flush=True); time.sleep(60)",
            command=["python", "model.py"],
            start_timeout_s=0.8,
        )
    assert children() <= before


def test_a_program_that_is_not_there_is_named(loaded: Load) -> None:
    """In the words of whoever would have to install it."""
    with pytest.raises(BadModel, match=r"Rscript-4\.9 cannot be started: there is no such program here"):
        loaded("", command=["Rscript-4.9", "serve.R"])


def test_another_version_of_the_protocol_is_refused(loaded: Load) -> None:
    """Rather than misunderstood."""
    code = """
        import os
        with open(3, "wb") as answers:
            body = b'{"hello": {"version": 2}}'
            answers.write(len(body).to_bytes(4, "big") + body)
    """
    with pytest.raises(BadModel, match=r'does not say hello in version 1 .*"version": 2'):
        loaded(code, command=["python", "model.py"])


def test_a_model_that_fails_its_own_example_is_refused(tmp_path: Path) -> None:
    """The first caller would find it out otherwise."""
    signature = save_process(tmp_path, "def predict(columns): return {'label': [True]}")
    described = Description("process", signature, options={"python": {"module": "model"}})
    write_directory(tmp_path, described, about=ABOUT, flavors={}, packages=[], example=ROW)
    with pytest.raises(BadModel, match="first row of its input example: it gives no output 'probability'"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"command": ["../../bin/sh"]}, "'../../bin/sh' leads out of the model directory"),
        ({"command": ["/bin/sh", "-c", "id"]}, "'/bin/sh' leads out"),
        ({"command": ["python", "model.py", "--data=/etc/shadow"]}, "'--data=/etc/shadow' leads out"),
        ({"command": ["python", "model.py"], "environment": "../lock.txt"}, "'../lock.txt' leads out"),
        ({"command": ["./serve"]}, "has no ./serve, which its description names"),
        ({"python": {"module": "model", "path": "../other"}}, "'../other' leads out"),
        ({"python": {"module": "model;import os"}}, "python.module: String should match pattern"),
        ({"python": {"module": "model"}, "command": ["python", "model.py"]}, "either `command` or `python`"),
        ({"command": []}, "either `command` or `python`"),
        ({"command": ["python", "model.py"], "memory": 10}, "memory: Extra inputs are not permitted"),
        ({"command": ["python", "model.py"], "workers": 0}, "workers: Input should be greater than or equal to 1"),
    ],
)
def test_a_description_that_leads_elsewhere_or_says_nonsense_is_refused(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    """Before anything is started."""
    before = children()
    save_process(tmp_path, **options)
    with pytest.raises(BadModel) as told:
        load(tmp_path)
    assert reason in str(told.value)
    assert children() <= before


def test_a_link_in_the_directory_is_refused(tmp_path: Path) -> None:
    """It would be copied as what it leads to."""
    save_process(tmp_path)
    (tmp_path / "secrets").symlink_to("/etc")
    with pytest.raises(BadModel, match=r"has links \(secrets\)"):
        load(tmp_path)


# other languages


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here: `make r` installs it")
def test_a_program_in_r_answers(tmp_path: Path) -> None:
    """The twenty lines of the README around a linear model of its own, fitted at its start."""
    signature = Signature(
        task="regression",
        inputs=[
            Tensor(name="speed", datatype="FP64", shape=[-1]),
            Tensor(name="road", datatype="BYTES", shape=[-1]),
        ],
        outputs=[Tensor(name="prediction", datatype="FP64", shape=[-1])],
    )
    for name in ("serve.R", "protocol.R"):
        shutil.copyfile(Path(__file__).parent / name, tmp_path / name)
    described = Description("process", signature, options={"command": ["Rscript", "serve.R"]})
    write_directory(tmp_path, described, about=ABOUT, flavors={}, packages=[], example={})
    with closing(load(tmp_path)) as model:
        one = model.answer({"speed": [10.0], "road": ["dry"]})
        many = model.answer({"speed": [10.0, 20.0], "road": ["dry", "wet"]})
        with pytest.raises(BadAnswer, match="its code failed: no road is called ice"):
            model.answer({"speed": [10.0], "road": ["ice"]})
    np.testing.assert_allclose(one["prediction"], [21.744993], atol=1e-5)  # -17.579095 + 3.932409 * 10
    np.testing.assert_allclose(many["prediction"], [21.744993, 2 * 61.069080], atol=1e-4)


# what it may do


def test_a_process_has_none_of_our_secrets(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor open files; the folder that it reads is a copy that it cannot change."""
    monkeypatch.setenv("HEADRACE_KEY", "hr_secret")
    report = """
        import json, os
        def predict(columns):
            try:
                open(os.path.join(os.path.dirname(__file__), "model.py"), "a")
                wrote = "wrote"
            except OSError as error:
                wrote = type(error).__name__
            raise RuntimeError(json.dumps([sorted(os.environ), len(os.listdir("/proc/self/fd")), wrote, os.getuid()]))
    """
    with Path(os.devnull).open() as held:
        os.set_inheritable(held.fileno(), True)
        with pytest.raises(BadAnswer) as told:
            loaded(report).answer(ROW)
    variables, files, wrote, user = json.loads(str(told.value).split("RuntimeError: ")[1])
    assert "HEADRACE_KEY" not in variables
    assert "HEADRACE_ANSWERS" in variables
    assert files == 5  # standard input, output, error, answers, and the one that lists
    if os.getuid() == 0:
        assert wrote == "PermissionError"
        assert 61184 <= user < 65520


def test_memory_beyond_the_limit_fails_the_request(loaded: Load) -> None:
    """A limit of the process, not of the machine."""
    model = loaded(
        "def predict(columns): return {'label': [len(bytearray(400 << 20)) > 0], 'probability': [1.0]}", memory_mb=200
    )
    with pytest.raises(BadAnswer, match="MemoryError"):
        model.answer(ROW)
    assert 1 << 20 < model.memory_bytes < 200 << 20


@pytest.mark.skipif(os.getuid() != 0, reason="the number of processes of one's own user is not limited")
def test_processes_without_end_are_refused_and_die_with_the_one_that_made_them(loaded: Load) -> None:
    """Also those that have left its group."""
    model = loaded(
        """
        import os, time
        def predict(columns):
            made = 0
            try:
                while made < 2000:
                    if os.fork() == 0:
                        os.setsid()
                        time.sleep(600)
                    made += 1
            finally:
                raise RuntimeError(f"made {made}")
    """,
        timeout_ms=20_000,
    )
    with pytest.raises(BadAnswer, match=r"RuntimeError: made (1\d\d|2[0-5]\d)\b"):
        model.answer(ROW)
    user = _user_of(next(iter(children())))
    model.close()
    _until(lambda: not _processes_of(user))


def test_the_network_is_closed_unless_the_description_opens_it(loaded: Load) -> None:
    """Where the kernel lets us; the sandbox of a container may not."""
    code = """
        import os, socket
        def predict(columns):
            raise RuntimeError(" ".join(name for _, name in socket.if_nameindex()))
    """
    probe = subprocess.run(["unshare", "--net", "--map-root-user", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("no network namespaces here")
    with pytest.raises(BadAnswer, match=r"RuntimeError: lo$"):
        loaded(code).answer(ROW)


def test_a_process_dies_with_its_parent(tmp_path: Path) -> None:
    """Even if that is killed, and whatever the process waits for; the next to load removes the folder that is left."""
    save_process(tmp_path, "import time\ndef predict(columns): time.sleep(600)", timeout_ms=600_000)
    code = f"""
import sys
from pathlib import Path
from headrace.runtimes import load
model = load(Path({str(tmp_path)!r}))
print("loaded", flush=True)
model.answer({{"wind": [1.0], "distance": [1.0]}})
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "loaded\n"
        made = children(parent.pid)
        made |= {below.pid for each in made for below in psutil.Process(each).children(recursive=True)}
        assert len(made) > 1
        told = {str(Path(part).parent) for pid in made for part in psutil.Process(pid).cmdline() if "_serve.py" in part}
        parent.kill()
    _until(lambda: not any(_running(pid) for pid in made))
    (left,) = {Path(each) for each in told if each.startswith(tempfile.gettempdir())}
    assert left.is_dir()
    save_process(tmp_path)
    with closing(load(tmp_path)), closing(load(tmp_path)) as model:
        assert not left.exists()
        assert model.answer(ROW)["label"].tolist() == [True]


def test_a_model_that_nobody_holds_any_more_leaves_nothing(tmp_path: Path) -> None:
    """Also where nobody closes it."""
    before = children()
    save_process(tmp_path)
    model = load(tmp_path)
    assert children() - before
    del model
    _until(lambda: children() <= before)


def test_the_folder_may_go_once_it_is_loaded(tmp_path: Path) -> None:
    """An evaluation keeps it no longer than that; a process that is started anew reads the copy."""
    save_process(tmp_path / "model")
    with closing(load(tmp_path / "model")) as model:
        (tmp_path / "model").rename(tmp_path / "gone")
        kill_children()
        assert model.answer(ROW)["label"].tolist() == [True]


# answers and the signature


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ("{'label': [True], 'probability': [float('nan')]}", "'probability': row 0 is nan, which is no number"),
        ("{'label': [True], 'probability': [None]}", "'probability': row 0 is missing; its signature promises FP64"),
        ("{'label': [True], 'probability': ['high']}", "'probability': row 0 is 'high'; its signature promises FP64"),
        ("{'label': [1], 'probability': [0.5]}", "'label': row 0 is 1; its signature promises BOOL, true or false"),
        ("{'label': [True, False], 'probability': [0.5]}", "'label' has shape [2]; 1 row of its signature are [1]"),
        ("{'label': [[True]], 'probability': [0.5]}", "'label' has shape [1, 1]; 1 row of its signature are [1]"),
        ("{'label': [[True], [True, False]], 'probability': [0.5]}", "its rows differ in length"),
        ("{'label': True, 'probability': [0.5]}", "'label' is True, not an array with one entry a row"),
        ("{'probability': [0.5]}", "it gives no output 'label'; it gives 'probability'"),
        ("{'label': [True], 'probability': [0.5], 'why': ['x']}", "it gives 'why', which its signature does not name"),
    ],
)
def test_outputs_that_the_signature_does_not_promise_are_refused(loaded: Load, outputs: str, reason: str) -> None:
    """With the output, the row, and what would be right."""
    model = loaded(f"def predict(columns): return {outputs}")
    with pytest.raises(BadAnswer) as told:
        model.answer(ROW)
    assert reason in str(told.value)


def test_every_datatype_goes_there_and_back(tmp_path: Path) -> None:
    """Columns of each type with a value missing, a matrix of probabilities, and labels that are text."""
    kinds = {"flag": "BOOL", "count": "INT64", "big": "UINT64", "share": "FP64", "word": "BYTES"}
    signature = Signature(
        task="custom",
        inputs=[Tensor(name=name, datatype=kind, shape=[-1]) for name, kind in kinds.items()],
        outputs=[
            Tensor(name="told", datatype="BYTES", shape=[-1]),
            Tensor(name="label", datatype="BYTES", shape=[-1], labels=["no", "yes"]),
            Tensor(name="shares", datatype="FP32", shape=[-1, 2], labels=["no", "yes"]),
            Tensor(name="whole", datatype="INT8", shape=[-1]),
        ],
    )
    (tmp_path / "model.py").write_text(
        "def predict(c):\n told = [repr(row) for row in zip(*c.values())]\n n = len(told)\n"
        " return {'told': told, 'label': ['yes'] * n, 'shares': [[0.25, 0.75]] * n, 'whole': [1.0] * n}\n"
    )
    described = Description("process", signature, options={"python": {"module": "model"}})
    write_directory(tmp_path, described, about=ABOUT, flavors={}, packages=[], example={})
    rows = {
        "flag": [True, None],
        "count": [7, float("nan")],
        "big": np.array([2**63, 2], dtype=np.uint64),
        "share": [0.5, None],
        "word": ["ä", np.nan],
    }
    with closing(load(tmp_path)) as model:
        answer = model.answer(rows)
    assert answer["told"].tolist() == ["(True, 7, 9223372036854775808, 0.5, 'ä')", "(None, None, 2, None, None)"]
    assert answer["label"].tolist() == ["yes", "yes"]
    assert (answer["shares"].dtype, answer["shares"].shape) == (np.float32, (2, 2))
    assert (answer["whole"].dtype, answer["whole"].tolist()) == (np.int8, [1, 1])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("{'label': ['maybe'] * n, 'whole': [1] * n}", "'label': row 0 is 'maybe', none of 'no', 'yes'"),
        ("{'label': ['no'] * n, 'whole': [1.5] * n}", "'whole': row 0 is 1.5, which is no INT8"),
        ("{'label': ['no'] * n, 'whole': [300] * n}", "'whole': row 0 is 300, which is no INT8"),
        ("{'label': ['no'] * n, 'whole': [10 ** 30] * n}", "'whole': row 0 is 1e+30, which is no INT8"),
        ("{'label': [3] * n, 'whole': [1] * n}", "'label': row 0 is 3; its signature promises BYTES, strings"),
    ],
)
def test_unknown_labels_and_numbers_that_do_not_fit_are_refused(tmp_path: Path, code: str, reason: str) -> None:
    """By the output and the row."""
    signature = Signature(
        task="multiclass",
        inputs=[Tensor(name="x", datatype="FP64", shape=[-1])],
        outputs=[
            Tensor(name="label", datatype="BYTES", shape=[-1], labels=["no", "yes"]),
            Tensor(name="whole", datatype="INT8", shape=[-1]),
        ],
    )
    (tmp_path / "model.py").write_text(f"def predict(c):\n n = len(c['x'])\n return {code}\n")
    described = Description("process", signature, options={"python": {"module": "model"}})
    write_directory(tmp_path, described, about=ABOUT, flavors={}, packages=[], example={})
    with closing(load(tmp_path)) as model, pytest.raises(BadAnswer) as told:
        model.answer({"x": [1.0]})
    assert reason in str(told.value)


def test_a_whole_number_of_any_length_is_measured() -> None:
    """JSON's numbers have no end; ours do."""
    with pytest.raises(BadAnswer, match="'whole' has a number that is too large for INT64"):
        checked({"whole": [10**30]}, [Tensor(name="whole", datatype="INT64", shape=[-1])], 1)


def test_who_asks_first_is_answered_first(loaded: Load) -> None:
    """One that asks again at once does not overtake those that wait."""
    model = loaded("def predict(columns): return {'label': [True], 'probability': [0.5]}", merge=False)
    counts = [0] * 4
    ends = threading.Event()

    def keep_asking(at: int) -> None:
        while not ends.is_set():
            model.answer(ROW)
            counts[at] += 1

    threads = [threading.Thread(target=keep_asking, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    _until(lambda: sum(counts) > 200)
    ends.set()
    for thread in threads:
        thread.join()
    assert min(counts) > 0.5 * max(counts)


TOGETHER = """
    import os, time
    def predict(columns):
        wind = columns["wind"]
        if 1 in wind: raise ValueError("no wind of one")
        if 2 in wind: os._exit(9)
        if 3 in wind: return {"label": [True] * len(wind), "probability": [float("nan")] * len(wind)}
        time.sleep(0.05)
        return {"label": [True] * len(wind), "probability": [each / 1000 + len(wind) for each in wind]}
"""


def at_once(model: Any, winds: list[float]) -> dict[float, Any]:
    """What each of several callers hears that ask at the same time: how many rows were asked together, or why not."""
    told: dict[float, Any] = {}

    def one(wind: float) -> None:
        try:
            told[wind] = float(model.answer({"wind": [wind], "distance": [0.0]})["probability"][0])
        except (BadAnswer, Unavailable) as error:
            told[wind] = str(error)

    threads = [threading.Thread(target=one, args=(wind,)) for wind in winds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_those_that_wait_are_asked_together(loaded: Load) -> None:
    """And each hears its own answer; with `merge: false` each is asked alone."""
    winds = [float(each) for each in range(10, 26)]
    told = at_once(loaded(TOGETHER), winds)
    alone = at_once(loaded(TOGETHER, merge=False), winds)

    assert {wind: round(value % 1, 6) for wind, value in told.items()} == {wind: wind / 1000 for wind in winds}
    assert max(told.values()) >= 8
    assert {int(value) for value in alone.values()} == {1}


@pytest.mark.parametrize(("bad", "reason"), [(1, "no wind of one"), (2, "exit code 9"), (3, "row 0 is nan")])
def test_one_bad_row_spoils_nobody_elses_answer(loaded: Load, bad: float, reason: str) -> None:
    """What fails together is asked again alone."""
    winds = [10.0, 11.0, 12.0, float(bad), 13.0, 14.0]
    told = at_once(loaded(TOGETHER), winds)

    assert reason in told.pop(bad)
    assert {wind: round(value % 1, 6) for wind, value in told.items()} == {w: w / 1000 for w in winds if w != bad}


def test_columns_of_several_callers_are_put_together_whatever_they_are() -> None:
    """Arrays stay arrays; beside a list they become one."""
    parts = [
        Batch(2, {"a": np.array([1, 2]), "b": [None, True]}),
        Batch(1, {"a": np.array([3]), "b": np.array([False])}),
    ]
    whole = merged([*parts, Batch(1, {"a": np.array([4]), "b": [True]})])
    assert whole.rows == 4
    assert whole.columns["a"].tolist() == [1, 2, 3, 4]
    assert whole.columns["b"] == [None, True, False, True]


def test_many_rows_are_asked_in_parts(loaded: Load) -> None:
    """In their order, each part with its own deadline."""
    model = loaded("""
        def predict(columns):
            assert len(columns["wind"]) <= 1000
            return {"label": [each > 0 for each in columns["wind"]], "probability": columns["distance"]}
    """)
    distance = np.linspace(0, 1, 2345)
    answer = model.answer({"wind": np.where(distance > 0.5, 1.0, -1.0), "distance": distance.astype(np.float32)})
    np.testing.assert_allclose(answer["probability"], distance, atol=1e-6)
    assert answer["label"].tolist() == (distance > 0.5).tolist()


# environments and descriptions


def test_a_lock_that_cannot_be_installed_is_said_with_the_installers_words(tmp_path: Path) -> None:
    """And leaves nothing that would pass for an environment."""
    save_process(tmp_path / "model", environment="lock.txt")
    (tmp_path / "model" / "lock.txt").write_text("nothing @ file:///nowhere/nothing-1-py3-none-any.whl\n")
    with pytest.raises(BadModel, match=r"the environment of lock\.txt cannot be made: .*nothing-1"):
        load(tmp_path / "model")
    with pytest.raises(BadModel, match="cannot be made"):
        environment_of(tmp_path / "model" / "lock.txt", tmp_path / "environments")
    assert not list((tmp_path / "environments").rglob(".made"))


def test_an_environment_is_made_once_and_used(tmp_path: Path) -> None:
    """By the digest of its lock; its packages are those that the model imports."""
    wheel = _wheel(tmp_path)
    save_process(
        tmp_path / "model",
        "import forestry, sys\ndef predict(c): return {'label': [forestry.LATE], 'probability': [0.5]}",
        environment="lock.txt",
    )
    (tmp_path / "model" / "lock.txt").write_text(f"forestry @ {wheel.as_uri()}\n")
    with closing(load(tmp_path / "model")) as model:
        assert model.answer(ROW)["label"].tolist() == [True]
    wheel.unlink()
    with closing(load(tmp_path / "model")) as model:
        assert model.answer(ROW)["label"].tolist() == [True]
    shutil.rmtree(environment_of(tmp_path / "model" / "lock.txt"))


def test_the_description_is_in_the_flavor(tmp_path: Path) -> None:
    """Under the runtime's name, so that a person reads there what will be started."""
    save_process(tmp_path, workers=2, memory_mb=512)
    flavor = yaml.safe_load((tmp_path / "MLmodel").read_text())["flavors"]["headrace"]
    assert flavor["process"] == {"python": {"module": "model"}, "workers": 2, "memory_mb": 512}
    assert starts_slowly(tmp_path)


def _wheel(folder: Path) -> Path:
    """A package of one module, as a wheel."""
    wheel = folder / "forestry-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("forestry.py", "LATE = True\n")
        about = "forestry-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: forestry\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return wheel


def _until(fact: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.02)


def _running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _user_of(launcher: int) -> int:
    """Of the command, which is the last of the launcher's line."""
    return psutil.Process(launcher).children(recursive=True)[-1].uids().real


def _processes_of(user: int) -> list[str]:
    found = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and each.stat().st_uid == user:
                found.append(each.name)
    return found
