-- What the Lua test keeps: so many records, found by number, by name and by tag.
-- No table here is indexed by a table or a function: Lua hashes those by address, and a table
-- that was filled at one address cannot be searched at another.

local size = ...

local Record = {}
Record.__index = Record
Record.__lt = function(a, b) return a.score < b.score or a.score == b.score and a.id < b.id end
Record.__tostring = function(r) return ("%d %s %.3f"):format(r.id, r.name, r.score) end

local names = {"oak", "elm", "fir", "yew", "ash", "lime", "pine", "rowan"}
local finalized = 0

local function record(id)
  local h = id * 2654435761 & 0xffffffff
  return setmetatable({id = id, name = names[(h >> 16) % #names + 1] .. "-" .. id, score = h / 1000},
                      Record)
end

records, by_name, by_tag = {}, {}, {}
weak = setmetatable({}, {__mode = "v"})

local function insert(r)
  records[#records + 1] = r
  by_name[r.name] = r
  local tag = r.name:sub(1, 3)
  by_tag[tag] = (by_tag[tag] or 0) + 1
  if r.id % 1000 == 0 then weak["w" .. r.id] = r end
end

for id = 1, size do insert(record(id)) end

-- Things that a program has lying about: open upvalues, a coroutine half way through, finalizers,
-- a file of libc, a compiled chunk, a long string, a buffer that was cleared again.
local function counter()
  local n = 0
  return function(by) n = n + (by or 1); return n end
end
local count = counter()
count(41)

local walk = coroutine.create(function(first)
  for i = first, #records, size // 4 do first = coroutine.yield(records[i].name) or first end
  return "end " .. first
end)
local walked = {select(2, coroutine.resume(walk, 7))}

local guard = setmetatable({}, {__gc = function() finalized = finalized + 1 end})
local output = io.stdout
local square = load("local x = ... return x * x, math.pi, ('%q'):format('a\\nb')")
local long = ("0123456789abcdef"):rep(4096)
local scratch = {}
for i = 1, 10000 do scratch[i] = {i} end
scratch = nil

local function sum(text)
  local s = 0
  for i = 1, #text do s = (s * 31 + text:byte(i)) % 1000000007 end
  return s
end

local function slice(from, to)
  local t = table.move(records, from, to, 1, {})
  table.sort(t)
  return t
end

-- Every process starts with the generator that was frozen, so let nobody take its numbers for
-- random ones; math.randomseed() draws a new seed.
math.randomseed(1)

function answer()
  local out = {}
  local function say(...) out[#out + 1] = table.concat({...}, " ") end

  say("records", #records, "tags", by_tag.oak or 0, by_tag.lim or 0, by_tag.row or 0)
  for _, id in ipairs {8, 711, size // 2, #records} do
    local name = record(id).name
    say("lookup", name, tostring(by_name[name]), tostring(by_name[name .. "!"]))
  end
  local hits, found, total = 0, 0, 0
  for id = 1, #records, 3 do
    local r = records[id]
    total = total + r.score
    hits = hits + (by_name[r.name] == r and 1 or 0)
    if r.name:find("^%a+%-(%d)%1$") or r.name:match("777") then found = found + 1 end
  end
  say("hits", hits, "found", found, ("total %.3f"):format(total))
  local t = slice(size // 40, size // 8)
  local seen = {}
  for i = 1, #t do seen[i] = t[i].name end
  say("sorted", tostring(t[1]), tostring(t[#t]), sum(table.concat(seen, ",")))
  local keys = {}
  for key in pairs(by_tag) do keys[#keys + 1] = key end
  say("order of pairs", table.concat(keys, " "))
  local globals = {}
  for key in pairs(_G) do globals[#globals + 1] = key end
  say("globals", #globals, sum(table.concat(globals, " ")))
  say("gsub", (("%s is %s"):format(names[1], names[2]):gsub("%w+", {oak = "OAK"})), #long,
      sum(long), utf8.char(228, 8364, 128512), ("x"):rep(3, "-"))
  say("packed", ("%02x"):rep(9, " "):format(string.pack("<i4 z B", -2, "abc", 7):byte(1, -1)))
  say("chunk", square(12))
  say("libraries", tostring(package.loaded.string == string), tostring(io.type(output)),
      type(debug.getinfo(answer, "S").linedefined), tostring(getmetatable("").__index == string))
  local alive = 0
  for _ in pairs(weak) do alive = alive + 1 end
  say("weak", alive, "finalized", finalized, "walked", table.concat(walked, " "))
  return table.concat(out, "\n")
end

function mutate()
  local out = {}
  local function say(...) out[#out + 1] = table.concat({...}, " ") end

  say("random", math.random(1000), math.random(1000), math.random())
  say("count", count(), count(2))
  say("resume", coroutine.status(walk), tostring(select(2, coroutine.resume(walk, 9))),
      tostring(select(2, coroutine.resume(walk))))
  for i = 1, #records do
    local r = records[i]
    if r.id % 3 == 0 then by_name[r.name] = nil; records[i] = false end
  end
  local kept = {}
  for i = 1, #records do if records[i] then kept[#kept + 1] = records[i] end end
  records = kept
  say("kept", #records)
  for id = size + 1, size + size // 5 do insert(record(id)) end
  for _ = 1, size // 40 do
    local r = records[math.random(#records)]
    r.extra = {r.name:upper(), math.random(), {}}
    r.score = r.score + math.random(100)
  end
  guard = nil
  collectgarbage()
  say("memory", collectgarbage("count"))
  say("pcall", tostring(pcall(error, {code = 1}) == false),
      tostring(select(2, pcall(function() return nil .. "x" end))),
      tostring(select(2, pcall(string.rep, "x", 1 << 60))))
  say("overflow", tostring(pcall(function() local function f() return 1 + f() end return f() end)))
  say("traceback", (xpcall(error, debug.traceback, "why") and "?" or "caught"))
  local parts = {}
  local make = coroutine.wrap(function()
    for i = 1, 2000 do coroutine.yield(("%x"):format(i * i)) end
  end)
  for part in make do parts[#parts + 1] = part end
  say("generated", #parts, sum(table.concat(parts)))
  collectgarbage("generational")
  local trees = {}
  for i = 1, 200 do
    local node = {}
    for j = 1, 200 do node = {node, j, "leaf" .. i * j} end
    trees[i % 10] = node
  end
  collectgarbage("incremental")
  for i = 1, size // 4 do by_name["late" .. i] = record(i) end
  for i = 1, size // 4, 2 do by_name["late" .. i] = nil end
  local chunks = 0
  for i = 1, 500 do chunks = chunks + load("local a = " .. i .. " return function() return a end")()() end
  say("chunks", chunks, "dumped", #string.dump(answer, true))
  local file <close> = io.tmpfile()
  file:write(long, "\n", 1.5, "\n"):seek("set", 65530)
  say("file", file:read("L", "n"))
  long = long:reverse() .. #parts
  do
    local closing <close> = setmetatable({}, {__close = function() finalized = finalized + 100 end})
  end
  trees, parts, kept = nil, nil, nil
  collectgarbage()
  collectgarbage()
  say("memory", collectgarbage("count"), "finalized", finalized)
  local n = 0
  for _ in pairs(by_name) do n = n + 1 end
  say("names", n)
  return table.concat(out, "\n")
end

-- What must not be the same in two processes.
function fresh()
  math.randomseed()
  return ("%016x"):format(math.random(0))
end
