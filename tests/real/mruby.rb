# What the mruby test keeps: 20,000 records, found by name, by symbol, by key and by the record itself.
# Hash#hash of an object is its address: the tables below called "by object" come out another way at
# each address, and must not be found broken at any.

NAMES = %w[oak elm fir yew ash lime pine rowan]

class Record
  attr_accessor :id, :name, :score, :extra

  def initialize(id)
    h = (id * 2654435761) & 0xffffffff
    @id = id
    @name = NAMES[(h >> 16) % NAMES.size] + "-" + id.to_s
    @score = h / 1000.0
  end

  include Comparable
  def <=>(other) = [@score, @id] <=> [other.score, other.id]
  def to_s = "#{@id} #{@name} #{'%.3f' % @score}"
end

Point = Struct.new(:x, :y)

class Missing
  def method_missing(name, *arguments) = "#{name}(#{arguments.join(',')})"
  def respond_to_missing?(*) = true
end

$records = []
$by_name = {}
$by_tag = {}
$by_object = {}
$small_by_object = {}
$by_point = {}
$by_class = {}
$by_symbol = {}

def insert(record)
  $records << record
  $by_name[record.name] = record
  $by_object[record] = record.id
  $small_by_object[record] = record.name if record.id % 40 == 0
  $by_point[[record.id % 100, record.id / 100]] = record if record.id % 3 == 0
  tag = record.name[0, 3]
  $by_tag[tag] = ($by_tag[tag] || 0) + 1
  $by_symbol[record.name[0, 4].to_sym] = record
end

1.upto(20_000) { |id| insert(Record.new(id)) }
[Record, Point, String, Integer, Hash, Comparable, Missing].each { |c| $by_class[c] = c.to_s }

# Things that a program has lying about: fibers and enumerators half way through, closures, methods,
# a file of mruby's own, numbers of all kinds, a long string that others share.
$count = begin
  n = 0
  ->(by = 1) { n += by }
end
$count.call(41)
$walk = Fiber.new do |first|
  i = first
  while i < $records.size
    first = Fiber.yield($records[i].name) || first
    i += 4000
  end
  "end #{first}"
end
$walked = $walk.resume(7)
$squares = Enumerator.new { |y| i = 0; loop { y << i * i; i += 1 } }
3.times { $squares.next }
$lazy = (1..Float::INFINITY).lazy.map { |x| x * 3 }.select { |x| x % 2 == 0 }
$bound = [3, 1, 2].method(:map)
$output = IO.new(1, "w")
$square = eval("->(x) { x * x + #{NAMES.size} }")
$long = "0123456789abcdef" * 4096
$slice = $long[1000, 20_000]
$numbers = [1 << 40, 3.25, -0.0, Rational(3, 4), Complex(1, -2), 10**15, 1e300]
$identity = $records[4710].object_id
$dice = Random.new(42)
2000.times { |i| [i, i.to_s] }
GC.start

# mruby's generator starts with the same seed in every process; see fresh below.

def sum(text)
  s = 0
  text.each_byte { |b| s = (s * 31 + b) % 1_000_000_007 }
  s
end

def answer
  out = []
  out << "records #{$records.size} tags #{$by_tag.map { |k, v| "#{k}=#{v}" }.join(' ')}"
  [8, 4711, 10_000].each do |id|
    name = Record.new(id).name
    out << "lookup #{name}: #{$by_name[name]} #{$by_name[name + '!'].inspect}"
  end
  found = $records.count { |r| r && $by_object[r] == r.id && $by_object.key?(r) }
  small = $small_by_object.count { |r, name| $small_by_object[r].equal?(name) && r.name == name }
  out << "by object #{found} of #{$by_object.size}, #{small} of #{$small_by_object.size}"
  out << "not there #{$by_object[Record.new(1)].inspect} #{$small_by_object[$records[0]].inspect}"
  out << "by point #{$by_point[[11, 47]]} #{$by_point[[12, 34567]].inspect} #{$by_point.size}"
  out << "by class #{$by_class.keys.all? { |c| $by_class[c] == c.to_s }} #{$by_class[Point]}"
  out << "by symbol #{$by_symbol.keys.join(' ')} #{$by_symbol[:'pine']}"
  out << "identity #{$records[4710].object_id == $identity}" if $records[4710]&.id == 4711
  slice = $records[2000, 3000].compact.sort
  out << "sorted #{slice.first} #{slice.last} #{sum(slice.map(&:name).join(','))}"
  out << "min #{$records.compact.min} sum #{'%.3f' % $records.compact.inject(0) { |s, r| s + r.score }}"
  out << "missing #{Missing.new.walk(1, :two)} #{Missing.instance_methods(false).size}"
  out << "bound #{$bound.call { |x| x * 10 }.inspect} #{$square.call(12)} #{$lazy.first(3).inspect}"
  out << "numbers #{$numbers.inspect} #{Math.sqrt(2)} #{$numbers[3] + $numbers[4]}"
  out << "text #{sum($long)} #{sum($slice)} #{'%08.3f|%-6s|%x' % [3.14159, 'ab', 48879]}"
  out << "packed #{[1, -2, 'abc', 1.5].pack('NsA4E').inspect} #{'äöü'.size}"
  out << "point #{Point.new(1, 2)} #{Point.new(1, 2) == Point.new(1, 2)} walked #{$walked}"
  out << "symbols #{sum(Record.instance_methods(false).map(&:to_s).sort.join(' '))}"
  out << "constants #{sum(Object.constants.map(&:to_s).sort.join(' '))} output #{$output.fileno}"
  out.join("\n")
end

def caught
  yield.inspect
rescue Exception => e
  "#{e.class}: #{e.message}"
end

def mutate
  out = []
  out << "dice #{$dice.rand(1000)} #{$dice.rand} #{rand(1000)} #{[1, 2, 3, 4, 5].shuffle.inspect}"
  out << "count #{$count.call} #{$count.call(2)} squares #{$squares.next} #{$squares.next}"
  out << "resume #{$walk.alive?} #{$walk.resume(9)} #{$walk.resume}"
  # two thirds stay; the tables that are keyed by objects grow, shrink, grow
  $records.each_with_index do |r, i|
    next unless r.id % 3 == 0
    $by_name.delete(r.name)
    out << "lost #{r}" unless $by_object.delete(r) == r.id
    $small_by_object.delete(r)
    $records[i] = nil
  end
  $records.compact!
  GC.start
  20_001.upto(26_000) { |id| insert(Record.new(id)) }
  out << "kept #{$records.size} #{$by_object.size} #{$small_by_object.size}"
  out << "found #{$records.count { |r| $by_object[r] == r.id }}"
  $by_object.rehash
  copy = $by_object.dup
  out << "rehashed #{$records.count { |r| copy[r] == r.id }}"
  1000.times do |i|
    r = $records[$dice.rand($records.size)]
    r.extra = [r.name.upcase, i, {}]
    r.score += $dice.rand(100)
  end
  out << caught { raise "why" }
  out << caught { nil.nothing }
  out << caught { Integer("12x") }
  out << caught { [1].freeze << 2 }
  out << caught { "x" * (1 << 60) }
  out << caught { eval("def (") }
  out << caught { File.open("/nonexistent/file") }
  out << caught { $records.fetch(1 << 20) }
  out << caught { Object.const_get(:Nowhere) }
  out << caught { {}.fetch(:a) }
  out << caught { def deep(n) = 1 + deep(n + 1); deep(0) }
  ensured = []
  caught { begin; raise "a"; rescue => e; ensured << e.message; raise ArgumentError, "b"; ensure; ensured << "c"; end }
  out << ensured.inspect
  Environment.set("TURF_MRUBY", "a value of #{$records.size}")
  out << "environment #{Environment.get('TURF_MRUBY')} #{Environment.get('TURF_NONE').inspect}"
  make = Fiber.new { 1000.times { |i| Fiber.yield((i * i).to_s(16)) }; nil }
  parts = []
  while (part = make.resume) do parts << part end
  out << "generated #{parts.size} #{sum(parts.join)}"
  # new classes, methods over frozen ones, singletons, modules
  Record.class_eval { def to_s = "#{@id}:#{@name}"; alias_method :label, :to_s }
  $records[1].define_singleton_method(:to_s) { "one of its own" }
  50.times { |i| Object.const_set("Class#{i}", Class.new(Record) { define_method(:number) { i } }) }
  out << "classes #{Class7.new(3).number} #{Class7.new(3)} #{$records[1]} #{$records[2].label}"
  out << "ancestors #{Class7.ancestors.join(' ')}"
  200.times { |i| out << "bad" unless eval("x = #{i}; -> { x + 1 }").call == i + 1 }
  trees = {}
  100.times do |i|
    node = []
    60.times { |j| node = [node, j, "leaf#{i * j}"] }
    trees[i % 10] = node
  end
  GC.generational_mode = false
  8_000.times { |i| $by_name["late#{i}"] = i.to_s }
  8_000.times { |i| $by_name.delete("late#{i}") if i % 2 == 1 }
  GC.start
  GC.generational_mode = true
  10_000.times { |i| [i, "#{i}"] }
  $long << "and more"
  $long = $long.reverse
  $slice[0, 3] = "changed"
  $by_tag.delete("oak")
  counts = ObjectSpace.count_objects
  out << "objects #{counts[:T_FIBER]} #{counts[:T_HASH] > 0} #{counts[:TOTAL] > 30_000}"
  trees = parts = nil
  GC.start
  out << "names #{$by_name.size} #{$by_name['late7'].inspect} #{$by_name['late8']}"
  out.join("\n")
end

# What must not be the same in two processes.  Kernel#srand takes the second, which may well be.
def fresh
  srand(File.open("/dev/urandom") { |f| f.read(4) }.unpack("L")[0])
  rand.to_s
end
