# What the Python test keeps: an interpreter with modules of the standard library, and the things
# that a program makes when it starts.
import _abc, abc, argparse, ast, collections, contextlib, copy, csv, dataclasses, datetime, enum
import functools, gc, hashlib, heapq, inspect, io, itertools, json, logging, operator, os, pathlib
import pickle, pprint, queue, random, re, shlex, signal, string, struct, subprocess, sys, tempfile
import textwrap, threading, time, traceback, types, typing, unittest, weakref
import xml.etree.ElementTree as etree


class Shape(abc.ABC):
    made = weakref.WeakSet()

    def __init__(self):
        Shape.made.add(self)

    @abc.abstractmethod
    def area(self): ...


class Square(Shape):
    def __init__(self, side):
        super().__init__()
        self.side = side

    def area(self):
        return self.side * self.side


class Better(Square):
    def area(self):
        return super().area() + 1


class Circle(Shape):
    __slots__ = ("radius",)

    def __init__(self, radius):
        super().__init__()
        self.radius = radius

    def area(self):
        return 3 * self.radius ** 2


@Shape.register
class Point:
    pass


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


@dataclasses.dataclass(order=True, slots=True)
class Item:
    name: str
    price: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list, compare=False)


class Pair(typing.NamedTuple):
    left: int
    right: typing.Optional[str] = None


@typing.runtime_checkable
class Sized(typing.Protocol):
    def area(self): ...


@functools.singledispatch
def kind(it):
    return "object"


@kind.register
def _(it: int):
    return "int"


@kind.register
def _(it: Shape):
    return "shape"


@kind.register
def _(it: collections.abc.Mapping):
    return "mapping"


@functools.lru_cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def counter():
    n = 0
    while True:
        n += (yield n) or 1


fibonacci(80)
shapes = [Square(n) if n % 3 else Circle(n) for n in range(60)]
names = {shape: f"shape-{n}" for n, shape in enumerate(shapes)}  # hashed by address
chosen = set(shapes[::7])
handlers = {Square: "squares", Circle: "circles", int: "numbers", None: "nothing", len: "lengths"}
weak = weakref.WeakKeyDictionary({shape: n for n, shape in enumerate(shapes)})
items = {f"item-{n}": Item(f"item-{n}", n * 7919 % 997 / 8, [f"t{n % 5}"]) for n in range(3000)}
count = counter()
count.send(None)
count.send(41)
word = re.compile(r"(?P<first>\w)(?P<rest>\w*)(?=[ ,.])")
log = logging.getLogger("frozen")
log.addHandler(logging.NullHandler())
log.setLevel(logging.INFO)
lock = threading.RLock()
parser = argparse.ArgumentParser(prog="program", description="A program that was started before.")
parser.add_argument("-n", "--number", type=int, default=3, help="how many (%(default)s)")
parser.add_argument("--colour", type=Colour.__getitem__, choices=list(Colour))
parser.add_argument("files", nargs="*")
ring = []
ring.append(ring)


# The freeze and the load


def by_address(key):
    if isinstance(key, (tuple, frozenset)):
        return any(map(by_address, key))
    return not isinstance(key, (str, bytes, int, float))


def settle(fixed):
    """Before the freeze: what depends on addresses (unless fixed), time or chance is emptied or put aside."""
    global keyed
    gc.disable()
    random.seed(0)
    logging._startTime = None
    main = threading.main_thread()
    main._ident = main._native_id = None
    threading._active.clear()
    # gc.get_objects() leaves out dictionaries with nothing in them that can be part of a cycle.
    everything = {id(it): it for it in gc.get_referents(*gc.get_objects())}.values()
    for it in everything:
        if isinstance(it, functools._lru_cache_wrapper):
            it.cache_clear()
        elif isinstance(it, abc.ABCMeta):  # filled in the order of a set of classes
            _abc._reset_caches(it)
    # Places in the heap have one order wherever it is; that of a set depends on their hashes.
    keyed = [(it, list(it.items()) if isinstance(it, dict) else sorted(it, key=id)) for it in everything
             if isinstance(it, (dict, set)) and any(map(by_address, it)) and not fixed]
    for it, _ in keyed:
        it.clear()
    del everything, it
    gc.enable()
    gc.collect()


def thaw(environment):
    """At load: what was put aside comes back, the rest is as it is in this process."""
    global keyed
    for it, contents in keyed:
        it.update(contents)
    del keyed
    os.environ._data.clear()
    os.environ._data.update(environment)
    logging._startTime = time.time()
    time.tzset()
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(fd, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


# The answers: each function returns something that shows as the same text in every process


def raised(function, *arguments):
    try:
        return function(*arguments)
    except BaseException as e:
        return "".join(traceback.format_exception_only(e)).strip()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def look_up():
    yield [names[shape] for shape in shapes[::9]], shapes[14] in chosen, shapes[15] in chosen
    yield [handlers[key] for key in (Circle, Square, int, None, len)], str in handlers
    yield [weak[shape] for shape in shapes[1::13]], len(weak), len(Shape.made)
    yield sum(shape.area() for shape in Shape.made), fibonacci(80), fibonacci(81), count.send(2)
    yield sum(item.price for item in items.values()), max(items.values()), min(items.values())
    yield [kind(it) for it in (1, True, "x", shapes[0], Point(), {}, os.environ)]
    yield [isinstance(Point(), Shape), isinstance(shapes[1], Sized), issubclass(Point, Sized)]
    yield [[c.__name__ for c in abstract.__subclasses__()] for abstract in
           (Shape, collections.abc.Sequence, Exception, int, enum.Enum)]
    yield [issubclass(t, getattr(collections.abc, name)) for t in (dict, list, str, range, Circle)
           for name in collections.abc.__all__]
    yield sorted(f.__name__ for f in os.supports_follow_symlinks), os.open in os.supports_dir_fd
    yield Colour["RED"], Colour(2), Access.READ | Access.WRITE, list(Access(3)), Pair(1)
    yield raised(Shape), raised(Colour, 3), raised(lambda: shapes[0].side), ring


def compute():
    yield json.loads(json.dumps({"a": [1, 2.5, None, True], "b": {"ü": "\n\u2028"}})), raised(json.loads, "[1,")
    yield digest(json.dumps([dataclasses.asdict(item) for item in items.values()], sort_keys=True))
    yield [m.groupdict() for m in word.finditer("to be, or not to be.")], re.split(r"[^a-z]+", "a1b2c3")
    yield re.sub(r"(\d+)", lambda m: str(int(m[1]) * 2), "4 and 21"), raised(re.compile, "(")
    yield parser.parse_args(["-n5", "--colour", "GREEN", "x"]), digest(parser.format_help())
    yield (datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
           + datetime.timedelta(days=366, seconds=0.25)).isoformat(), datetime.date(2000, 1, 1).strftime("%A %j")
    yield inspect.signature(Item), typing.get_type_hints(Item), typing.Union[int, None, list[Item]]
    yield ast.unparse(ast.parse("x = [f(y)  for y in z if not y] ; del x, ")), ast.literal_eval("{'a': (1, -2j)}")
    yield pickle.loads(pickle.dumps([Pair(1, "x"), Colour.RED, items["item-8"], datetime.date(1, 2, 3)]))
    yield copy.deepcopy({"shapes": [Pair(n) for n in range(3)], "ring": ring}), copy.copy(items["item-7"])
    yield pprint.pformat({"many": list(range(40)), "deep": {"a": {"b": ["c" * 30, "d" * 30]}}}, width=60)
    yield textwrap.fill("the quick brown fox jumps over the lazy dog " * 3, 40), shlex.split("a 'b c' d\\ e")
    yield struct.pack("<hiq2s", 1, -2, 3, b"ab"), list(csv.reader(io.StringIO('a,"b,c"\r\n1,2\r\n')))
    yield etree.tostring(etree.fromstring("<a b='c'><d/>text<!-- --></a>")), raised(etree.fromstring, "<a>")
    yield heapq.nsmallest(3, items.values()), sum(map(operator.mul, range(99), itertools.count()))
    yield string.Template("$a ${b}").substitute(a=1, b=2), pathlib.PurePosixPath("/a/../b.c").with_suffix(".d")
    yield list(collections.Counter("mississippi").most_common()), set("set of letters"), hash("text")
    yield eval(compile("[(a, b) for a in range(5) if (b := a * a) % 2]", "here", "eval")), 3 ** 200 % 10 ** 30
    yield f"{1 / 3:.20f} {10 ** 20:,} {'x':>5} {255:#x}", b"\xc3\xbc".decode(), "ß".upper(), 0.1 + 0.2


def change_classes():
    class Triangle(Shape):
        def area(self):
            return 1

    yield [c.__name__ for c in Shape.__subclasses__()], kind(Triangle()), Better(3).area()
    handlers[Triangle] = names[Triangle()] = "triangles"
    yield [handlers[c] for c in handlers if isinstance(c, type)], Triangle.area(None), isinstance(Better(1), Sized)
    Square.area, old = (lambda self: -self.side), Square.area
    better = Better(4)
    yield better.area(), shapes[1].area()
    Square.area = old
    Better.__bases__ = (Triangle,)
    yield Better.__mro__[1].__name__, [c.__name__ for c in Square.__subclasses__()], better.area()
    Better.__bases__ = (Square,)
    del handlers[Triangle], Triangle, better
    for it in [it for it in names if type(it) not in (Square, Circle)]:
        del names[it]
    del it
    gc.collect()
    yield [c.__name__ for c in Shape.__subclasses__()], len(names), len(Shape.made)
    many = [type(f"Class{n}", (Square,), {"n": n}) for n in range(300)]
    yield sum(c.n for c in Square.__subclasses__()[1:]), raised(type, "Bad", (bool,), {})
    del many[::2]
    gc.collect()
    yield sum(c.n for c in Square.__subclasses__()[1:]), len(object.__subclasses__()) > 100
    made = dataclasses.make_dataclass("Made", [("x", int), ("y", int, 5)], frozen=True, order=True)
    yield made(1), made(1) < made(1, 6), {made(2): 1}[made(2)], raised(setattr, made(1), "x", 2)
    yield enum.Enum("Later", "A B C").B.value, kind.register(str, lambda it: "text") and kind("x"), kind(1)


def change_memory():
    gone = []
    weakref.finalize(shapes[1], gone.append, "finalized")
    del names[shapes[1]], shapes[1]
    gc.collect()
    yield gone, len(Shape.made), len(weak), sorted(weak.values())[:3]
    for n in range(2000):
        a, b = [n], [n]
        a.append(b), b.append(a)
    yield gc.collect() >= 1, gc.isenabled(), gc.garbage
    for n in range(0, 3000, 3):
        del items[f"item-{n}"]
    for n in range(3000, 20000):
        items[f"item-{n}"] = Item(f"item-{n}", float(n))
    yield len(items), digest("".join(items)), sum(len(item.tags) for item in items.values())
    items["item-1"].tags += ["x"] * 1000
    ring.clear()
    yield items.pop("item-1").tags.count("x"), ring, raised(items.pop, "item-1")
    letters = bytearray(b"abc" * 100000)
    del letters[::2]
    yield len(letters), sorted(range(5000), key=lambda n: n * 7919 % 5003)[:5], sys.intern("abc" + "def") is sys.intern("abcdef")
    sys.setrecursionlimit(200)
    def deep(n): return deep(n + 1)
    yield raised(deep, 0)
    sys.setrecursionlimit(1000)
    yield len("".join(map(chr, range(0x100, 0x8000)))), [10 ** n for n in range(0, 60, 20)]
    del sys.modules["textwrap"]
    import textwrap
    yield textwrap.dedent("  a\n  b"), __import__("colorsys").rgb_to_hls(0.5, 0.25, 1), raised(__import__, "nothing")


def change_process():
    results, jobs, local = [], queue.Queue(), threading.local()

    def work():
        local.mine = 0
        while (job := jobs.get()) is not None:
            with lock:
                local.mine += job
        results.append(local.mine)

    threads = [threading.Thread(target=work, name=f"worker-{n}") for n in range(4)]
    for thread in threads: thread.start()
    for n in range(1000): jobs.put(n)
    for _ in threads: jobs.put(None)
    for thread in threads: thread.join(60)
    yield sum(results), threading.current_thread().name, threading.main_thread() is threading.current_thread()
    yield threading.active_count(), threading.get_ident() == threading.main_thread().ident
    failed = []
    hook, threading.excepthook = threading.excepthook, lambda it: failed.append(it.exc_type.__name__)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start(), thread.join()
    threading.excepthook = hook
    yield failed, raised(lock.release), lock.acquire(), lock.release()
    signals = []
    old = signal.signal(signal.SIGUSR1, lambda number, frame: signals.append(number))
    signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, old)
    yield signals, raised(signal.raise_signal, signal.SIGINT)
    yield [stream.seekable() for stream in (sys.stdin, sys.stdout, sys.stderr)]
    os.environ["TURF"] = "a"
    yield subprocess.run(["sh", "-c", "echo $TURF; exit 3"], stdout=subprocess.PIPE), "PATH" in os.environ
    child = os.fork()
    if not child:
        os._exit(fibonacci(10) if random.random() < 1 else 1)
    yield os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with tempfile.TemporaryFile("w+") as file:
        print("text", file=file, flush=True)
        yield file.tell(), os.path.exists("/usr/lib/python3.11/os.py"), raised(open, "/nowhere")
    try:
        try: 1 / 0
        except ZeroDivisionError as e: raise KeyError("again") from e
    except KeyError as e:
        yield traceback.format_exc()
    with contextlib.suppress(ValueError), contextlib.ExitStack() as stack:
        stack.callback(log.info, "left")
        log.addHandler(handler := logging.StreamHandler(text := io.StringIO()))
        log.warning("%s is %d", "it", 1)
        int("x")
    log.removeHandler(handler)
    yield text.getvalue(), 0 <= time.time() - logging._startTime < 600


def of_debian():
    """Whether this is Debian's library; one for musl is compiled by link.inc, and not all of it."""
    return sys.implementation._multiarch.endswith("-gnu")


def import_extensions():
    """Debian's are in lib-dynload, images of their own that use this library; else they are inside it."""
    sys.path.append("/usr/lib/python3.11/lib-dynload")
    import asyncio, contextvars, decimal, mmap, _json

    async def wait(n):
        await asyncio.sleep(0)
        return n * n

    async def main():
        return await asyncio.gather(*map(wait, range(10)))

    yield asyncio.run(main()), decimal.getcontext().divide(1, 7), decimal.Decimal("1e3") == 1000
    if of_debian():
        bz2 = __import__("bz2")
        yield bz2.decompress(bz2.compress(b"text" * 1000))[:8]
    yield contextvars.ContextVar("x", default=3).get(), hasattr(_json, "__file__") == of_debian()
    yield _json.encode_basestring("ü\n"), mmap.mmap(-1, 10)[:2]


def tell(*functions):
    return "\n".join(f"{f.__name__}: {text}" for f in functions for text in f())


def answer():
    return tell(look_up, compute)


def mutate():
    return tell(change_classes, change_memory, change_process, import_extensions)


def fresh():
    return f"{random.random()} {random.Random().random()} {tempfile.gettempprefix()}"


def suite():
    """CPython's own tests, those that URF_TESTS names: what became of each."""
    sys.path.append("/usr/lib/python3.11/lib-dynload")
    if not of_debian():  # a file that the rest of the build would have written
        import sysconfig
        sys.modules[sysconfig._get_sysconfigdata_name()] = types.SimpleNamespace(build_time_vars={})
    lines = []
    for name in os.environ["URF_TESTS"].split():
        module = unittest.defaultTestLoader.loadTestsFromName(f"test.{name}")
        result = unittest.TextTestRunner(io.StringIO()).run(module)
        lines.append(f"{name}: {result.testsRun} run, {len(result.skipped)} skipped,"
                     f" {len(result.failures)} failed, {len(result.errors)} errors")
        lines += [f"  {test.id()}: {text.strip().splitlines()[-1]}" for test, text in result.failures + result.errors]
    return "\n".join(lines)
