#!lua name=resonate
-- What the ingest does in the store in one atomic step; docs/store.md lists the keys.
-- Every function is given one key and derives the others of the same shard from it, so a cluster can run them too.

local GENERATION_SECONDS = 12 * 3600
local FIRST_BUCKETS = 4096
local IDS_PER_BUCKET = 64
local ID_BYTES = 10 -- 8 of the messageId's digest, 2 of the body's
local ID_MEMORY, CROWDED_ID_MEMORY, BUCKET_MEMORY = 16, 100, 120 -- bytes; an id takes more in a hash that is not small
local SMALL_HASH = 512 -- ids (hash-max-listpack-entries)
local ENTRY_MEMORY = 100 -- bytes of an entry of the stream, beside its text
local BUCKETS_SWEPT_AT_ONCE, EVENTS_PER_SWEPT_BUCKET = 64, 32
local PAGES_FULL = "page_share_full"
local LAST_SEQUENCE = 1000000 -- below 2^20, because one integer holds milliseconds << 20 | sequence
local PURCHASES_KEPT = 50
local HISTORY_SECONDS = 400 * 24 * 3600
local SEPARATOR = "\31"
local OWNER = "owner" -- beside the lines of a history, whose names all have a separator
local LOOKED_OVER = 10 -- log-ins at each one that is told

local function shard_prefix(events_key)
  return string.sub(events_key, 1, -7) -- "{0}:events" -> "{0}:"
end

local function fields_of(flat, first)
  local fields = {}
  for index = first or 1, #flat, 2 do
    fields[flat[index]] = flat[index + 1]
  end
  return fields
end

local function split_id(stream_id)
  local milliseconds, sequence = string.match(stream_id, "^(%d+)-(%d+)$")
  return tonumber(milliseconds), tonumber(sequence)
end

-- De-duplication: two generations of small hashes --------------------------------------------------------------------

local function buckets_for(count)
  local buckets = 64
  while buckets * IDS_PER_BUCKET < count do
    buckets = buckets * 2
  end
  return buckets
end

local function memory_of_ids(count, buckets)
  return count * (count > SMALL_HASH * buckets and CROWDED_ID_MEMORY or ID_MEMORY) + math.min(count, buckets) * BUCKET_MEMORY
end

local function kept_of(key)
  local told = redis.call(
    "HMGET", key, "generation", "period", "buckets", "appended_before", "previous", "previous_buckets", "expired"
  )
  return {
    generation = told[1],
    period = told[2],
    buckets = told[3],
    appended_before = told[4],
    previous = told[5],
    previous_buckets = told[6],
    expired = told[7],
  }
end

-- Names only grow; `period` is the half of a day in which it began.
local function begin_generation(key, kept, period, appended)
  local name, buckets, expired = period, FIRST_BUCKETS, kept.expired or ""
  if kept.generation then
    local count = appended - tonumber(kept.appended_before)
    name, buckets = math.max(period, kept.generation + 1), buckets_for(count)
    if kept.previous then
      expired = expired .. kept.previous .. ":" .. kept.previous_buckets .. ";"
    end
    redis.call("HSET", key, "previous", kept.generation, "previous_buckets", kept.buckets, "previous_count", count)
  end
  redis.call(
    "HSET", key, "generation", name, "period", period, "buckets", buckets, "appended_before", appended, "expired", expired
  )
  return kept_of(key)
end

-- An expired generation goes a few hashes at a time, so that no flush waits for a million ids to be freed; but faster
-- than new ids come, of which `count` are on their way.
local function sweep(key, kept, count)
  local generation, buckets = string.match(kept.expired, "^(%d+):(%d+);")
  local from = tonumber(redis.call("HGET", key, "swept") or "0")
  local at_once = math.max(BUCKETS_SWEPT_AT_ONCE, math.ceil(count / EVENTS_PER_SWEPT_BUCKET))
  local to = math.min(from + at_once, tonumber(buckets))
  local gone = {}
  for bucket = from, to - 1 do
    gone[#gone + 1] = key .. ":" .. generation .. ":" .. bucket
  end
  redis.call("UNLINK", unpack(gone))
  if to == tonumber(buckets) then
    redis.call("HSET", key, "expired", string.match(kept.expired, ";(.*)$"), "swept", 0)
  else
    redis.call("HSET", key, "swept", to)
  end
end

-- The generations of ids behind a key. `appended` is how many went there before the `count` that come now, `share` how
-- much memory they may take, 0 for any: a third of it full, a generation is over before its time, as one is filled, one
-- is kept, and one is swept away.
local function generations(key, appended, count, share)
  local kept = kept_of(key)
  local period = math.floor(tonumber(redis.call("TIME")[1]) / GENERATION_SECONDS)
  local began = tonumber(kept.period or kept.generation or "0") -- a clock that goes back changes nothing
  local is_over = period > began
  if not is_over and share > 0 then
    is_over = 3 * memory_of_ids(appended + count - kept.appended_before, tonumber(kept.buckets)) > share
      and appended > tonumber(kept.appended_before)
  end
  if is_over then
    kept = begin_generation(key, kept, period, appended)
  end
  if kept.expired ~= "" then
    sweep(key, kept, count)
  end
  return {
    new = {},
    current = key .. ":" .. kept.generation .. ":",
    buckets = tonumber(kept.buckets),
    previous = kept.previous and key .. ":" .. kept.previous .. ":",
    previous_buckets = tonumber(kept.previous_buckets or "0"),
  }
end

-- Remembers an id, also in `kept.new`; answers the body digest it was first seen with, or nil when it is new.
local function first_seen(kept, id, place, body)
  if kept.previous then
    local before = redis.call("HGET", kept.previous .. (place % kept.previous_buckets), id)
    if before then
      return before
    end
  end
  local bucket = kept.current .. (place % kept.buckets)
  if redis.call("HSETNX", bucket, id, body) == 1 then
    kept.new[#kept.new + 1], kept.new[#kept.new + 2] = bucket, id
    return nil
  end
  return redis.call("HGET", bucket, id)
end

local function duplicates_of(kept, packed)
  local duplicates, conflicts = {}, 0
  for index = 0, #packed / ID_BYTES - 1 do
    local start = index * ID_BYTES + 1
    local first, second, third, high, low = string.byte(packed, start, start + 2)
    high, low = string.byte(packed, start + 8, start + 9)
    local body = high * 256 + low
    local before = first_seen(kept, string.sub(packed, start, start + 7), first * 65536 + second * 256 + third, body)
    if before then
      duplicates[#duplicates + 1] = index
      if tonumber(before) ~= body then
        conflicts = conflicts + 1
      end
    end
  end
  return duplicates, conflicts
end

-- args: digests of messages (10 bytes each) that are taken for new when they come again.
local function forget(keys, args)
  for _, family in ipairs({ "ids", "page_ids" }) do
    local key = shard_prefix(keys[1]) .. family
    local kept = kept_of(key)
    for index = 1, #args[1], ID_BYTES do
      local id = string.sub(args[1], index, index + 7)
      local first, second, third = string.byte(id, 1, 3)
      local place = first * 65536 + second * 256 + third
      if kept.generation then
        redis.call("HDEL", key .. ":" .. kept.generation .. ":" .. place % kept.buckets, id)
      end
      if kept.previous then
        redis.call("HDEL", key .. ":" .. kept.previous .. ":" .. place % kept.previous_buckets, id)
      end
    end
  end
  return true
end

-- The JSON array without the duplicates, cut at the lengths that came with it.
local function without(entry, lengths, duplicates)
  local is_duplicate, kept, start = {}, {}, 2
  for _, index in ipairs(duplicates) do
    is_duplicate[index] = true
  end
  for index = 0, #lengths / 4 - 1 do
    local length = struct.unpack(">I4", lengths, index * 4 + 1)
    if not is_duplicate[index] then
      kept[#kept + 1] = string.sub(entry, start, start + length - 1)
    end
    start = start + length + 1
  end
  return "[" .. table.concat(kept, ",") .. "]"
end

-- args: digests (10 bytes an event), lengths (4 bytes an event), the JSON array of all events; for those of pages also
-- how much memory (bytes) their ids may take, and as much their entries, 0 for any.
-- Answers the stream id (empty when nothing was new), the indexes of duplicates, the number of conflicts; a word where
-- what pages sent and no part holds fills their share.
local function append(keys, args)
  local prefix = shard_prefix(keys[1])
  local counters, count, share = prefix .. "counters", #args[1] / ID_BYTES, tonumber(args[4])
  local told = redis.call("HMGET", counters, "appended", "of_pages", "bytes", "page_bytes", "page_bytes_gone")
  local appended, of_pages = tonumber(told[1] or "0"), tonumber(told[2] or "0")
  local bytes, page_bytes = tonumber(told[3] or "0"), tonumber(told[4] or "0")
  local kept
  if share then
    if share > 0 and page_bytes + ENTRY_MEMORY + #args[3] - tonumber(told[5] or "0") > share then
      return PAGES_FULL
    end
    kept = generations(prefix .. "page_ids", of_pages, count, share)
  else
    kept = generations(prefix .. "ids", appended - of_pages, count, 0)
  end
  local told_all, duplicates, conflicts = pcall(duplicates_of, kept, args[1])
  if not told_all then -- a key of a slot that moves is here no more: of what is not stored no id may stay behind
    for index = 1, #kept.new, 2 do
      redis.pcall("HDEL", kept.new[index], kept.new[index + 1])
    end
    error(duplicates)
  end
  local new = count - #duplicates
  if #duplicates > 0 or count == 0 then -- whoever waits for replicas waits for a write: a repeat and a probe are one
    redis.call("HINCRBY", counters, "duplicates", #duplicates)
  end
  if conflicts > 0 then
    redis.call("HINCRBY", counters, "conflicts", conflicts)
  end
  if new == 0 then
    return { "", duplicates, conflicts }
  end
  local entry = args[3]
  if #duplicates > 0 then
    entry = without(entry, args[2], duplicates)
  end
  local size = ENTRY_MEMORY + #entry
  appended, bytes = appended + new, bytes + size
  if share then
    of_pages, page_bytes = of_pages + new, page_bytes + size
    redis.call("HSET", counters, "appended", appended, "bytes", bytes, "of_pages", of_pages, "page_bytes", page_bytes)
  else
    redis.call("HSET", counters, "appended", appended, "bytes", bytes)
  end
  local stream_id = redis.call("XADD", keys[1], "*", "n", new, "t", appended, "b", bytes, "p", page_bytes, "e", entry)
  local milliseconds, sequence = split_id(stream_id)
  if sequence >= LAST_SEQUENCE then -- the clock stands behind the stream: go on in the next millisecond
    redis.call("XSETID", keys[1], string.format("%.0f-0", milliseconds + 1))
  end
  return { stream_id, duplicates, conflicts }
end

-- The writer's side -----------------------------------------------------------------------------------------------------

local function last_id(events_key)
  if redis.call("EXISTS", events_key) == 0 then
    return "0-0"
  end
  return fields_of(redis.call("XINFO", "STREAM", events_key))["last-generated-id"]
end

-- Answers the last stream id, the number of events appended so far, and the watermark's fields and values by turns.
local function position(keys)
  local prefix = shard_prefix(keys[1])
  local appended = redis.call("HGET", prefix .. "counters", "appended") or "0"
  return { last_id(keys[1]), appended, redis.call("HGETALL", prefix .. "watermark") }
end

-- Answers how much memory (bytes) the shard's stream and its ids take.
local function memory(keys)
  local prefix = shard_prefix(keys[1])
  local told = redis.call("HMGET", prefix .. "counters", "appended", "of_pages", "bytes", "bytes_gone")
  local of_pages = tonumber(told[2] or "0")
  local appended, bytes = { ids = tonumber(told[1] or "0") - of_pages, page_ids = of_pages }, 0
  for name, count in pairs(appended) do
    local kept = fields_of(redis.call("HGETALL", prefix .. name))
    if kept.generation then
      bytes = bytes + memory_of_ids(count - kept.appended_before, tonumber(kept.buckets))
      bytes = bytes + memory_of_ids(tonumber(kept.previous_count or "0"), tonumber(kept.previous_buckets or "0"))
    end
  end
  return { tonumber(told[3] or "0") - tonumber(told[4] or "0"), math.ceil(bytes) }
end

-- args: the last stream id that a part holds, then fields and values of the watermark by turns. Trims the stream up to
-- that id; `written` follows from its entry, or from there being nothing left. Answers -1 and changes nothing for an owner that another one has followed:
-- a writer that stood still for longer than its lease must not trim what it has not read.
local function mark(keys, args)
  local watermark = shard_prefix(keys[1]) .. "watermark"
  local owner = redis.call("HGET", watermark, "owner")
  if owner and owner ~= (fields_of(args, 2).owner or owner) then
    return -1
  end
  local entry = redis.call("XRANGE", keys[1], args[1], args[1])[1]
  if entry then
    local fields = fields_of(entry[2])
    redis.call("HSET", watermark, "written", fields["t"])
    local counters = shard_prefix(keys[1]) .. "counters"
    redis.call("HSET", counters, "bytes_gone", fields["b"] or 0, "page_bytes_gone", fields["p"] or 0)
  end
  redis.call("HSET", watermark, unpack(args, 2))
  local milliseconds, sequence = split_id(args[1])
  local trimmed = redis.call("XTRIM", keys[1], "MINID", string.format("%.0f-%.0f", milliseconds, sequence + 1))
  if not entry and redis.call("XLEN", keys[1]) == 0 then -- a store that is older than the log: nothing of it waits
    redis.call("HSET", watermark, "written", redis.call("HGET", shard_prefix(keys[1]) .. "counters", "appended") or "0")
  end
  return trimmed
end

-- args: a stream id that parts hold already; every later id will be greater, whatever the store lost or the clock says.
-- Then the owner that goes on from there; from now on only this one may trim.
local function raise(keys, args)
  if args[2] then
    redis.call("HSET", shard_prefix(keys[1]) .. "watermark", "owner", args[2])
  end
  local milliseconds, sequence = split_id(args[1])
  local last_milliseconds, last_sequence = split_id(last_id(keys[1]))
  if last_milliseconds > milliseconds or (last_milliseconds == milliseconds and last_sequence >= sequence) then
    return 0
  end
  if redis.call("EXISTS", keys[1]) == 0 then
    redis.call("XADD", keys[1], args[1], "n", 0, "t", 0, "e", "[]")
    redis.call("XDEL", keys[1], args[1])
  else
    redis.call("XSETID", keys[1], args[1])
  end
  return 1
end

-- A person's history -------------------------------------------------------------------------------------------------

local function lines_of(key)
  local flat, lines = redis.call("HGETALL", key), {}
  for index = 1, #flat, 2 do
    if flat[index] ~= OWNER then
      lines[#lines + 1], lines[#lines + 2] = flat[index], flat[index + 1]
    end
  end
  return lines
end

local function keep_newest(key)
  local flat = lines_of(key)
  local lines = {}
  for index = 1, #flat, 2 do
    lines[#lines + 1] = { field = flat[index], time = tonumber(string.match(flat[index + 1], "^-?%d+")) }
  end
  table.sort(lines, function(left, right)
    return left.time > right.time or (left.time == right.time and left.field < right.field)
  end)
  for index = PURCHASES_KEPT + 1, #lines do
    redis.call("HDEL", key, lines[index].field)
  end
end

-- A line is "time quantity price authority", one that was taken away "time 0 - authority"; without its fourth word it is
-- from before there was authority, and a page's.
local function authority_of(line)
  return tonumber(string.match(line, "^%S+ %S+ %S+ (%d+)$") or "0")
end

local function order_of(field)
  return string.match(field, "^(.-)" .. SEPARATOR)
end

local function quantity_of(line)
  return tonumber(string.match(line, "^%S+ (%S+)"))
end

-- args: field (order, separator, product) and line by turns. Of an order the lines of whom is believed most stay; among
-- equals the first copy of a line. What somebody took away who is believed as far is not brought back.
local function purchased(keys, args)
  local flat = lines_of(keys[1])
  local told, gone = {}, {} -- by order, who is believed most of those who say what was bought, and who took it all away
  for index = 1, #flat, 2 do
    local order, authority = order_of(flat[index]), authority_of(flat[index + 1])
    if flat[index] == order .. SEPARATOR then
      gone[order] = authority
    elseif quantity_of(flat[index + 1]) ~= 0 then
      told[order] = math.max(told[order] or -1, authority)
    end
  end
  for index = 1, #args, 2 do
    local order = order_of(args[index])
    told[order] = math.max(told[order] or -1, authority_of(args[index + 1]))
  end
  for index = 1, #flat, 2 do
    if authority_of(flat[index + 1]) < (told[order_of(flat[index])] or -1) then
      redis.call("HDEL", keys[1], flat[index])
    end
  end
  for index = 1, #args, 2 do
    local order, authority = order_of(args[index]), authority_of(args[index + 1])
    if authority == told[order] and authority > (gone[order] or -1) then
      redis.call("HSETNX", keys[1], args[index], args[index + 1])
    end
  end
  if redis.call("HLEN", keys[1]) > PURCHASES_KEPT then
    keep_newest(keys[1])
  end
  return redis.call("EXPIRE", keys[1], HISTORY_SECONDS)
end

-- args: time, authority, order, then products and refunded quantities by turns; no products: the whole order.
-- It has no power over what somebody says who is believed more. A refunded line stays as a quantity of 0, so that a copy
-- of the order that comes again does not bring it back; with the authority of the line where its quantity decided.
local function refunded(keys, args)
  local authority, order = tonumber(args[2]), args[3]
  local function take(field, back)
    local line = redis.call("HGET", keys[1], field)
    local held = line and authority_of(line)
    if held and held > authority then
      return
    elseif not back then
      redis.call("HSET", keys[1], field, args[1] .. " 0 - " .. args[2])
    elseif line and back >= quantity_of(line) then
      redis.call("HSET", keys[1], field, args[1] .. " 0 - " .. held)
    end
  end
  if #args == 3 then
    for _, field in ipairs(redis.call("HKEYS", keys[1])) do
      if order_of(field) == order then
        take(field, math.huge)
      end
    end
    take(order .. SEPARATOR)
  end
  for index = 4, #args, 2 do
    take(order .. SEPARATOR .. args[index], tonumber(args[index + 1]))
  end
  return redis.call("EXPIRE", keys[1], HISTORY_SECONDS)
end

-- args: the user who logged in. Answers the visitor's lines for that user's history; only the first user gets them.
local function joined(keys, args)
  if redis.call("EXISTS", keys[1]) == 0 then
    return {}
  end
  redis.call("HSETNX", keys[1], OWNER, args[1])
  if redis.call("HGET", keys[1], OWNER) ~= args[1] then
    return {}
  end
  return lines_of(keys[1])
end

-- Log-ins that a backend vouches for --------------------------------------------------------------------------------

local function now_ms()
  local seconds, microseconds = unpack(redis.call("TIME"))
  return tonumber(seconds) * 1000 + math.floor(tonumber(microseconds) / 1000)
end

local function log_in_of(told)
  local at, ends, user = string.match(told, "^(%d+) (%d+) (%x*)$")
  return tonumber(at), tonumber(ends), user
end

-- args: the visitor; the digest of the user, empty for nobody; when that was so, and until when it holds (ms). Later
-- news wins, and news of the same user never ends earlier than what was said before. Of the others in the hash a few
-- are looked at, and go when they are over: a time to live would let the store evict those that hold.
local function logged_in(keys, args)
  local visitor, user, at, ends = args[1], args[2], tonumber(args[3]), tonumber(args[4])
  local now, told = now_ms(), redis.call("HGET", keys[1], visitor)
  if told then
    local told_at, told_ends, told_user = log_in_of(told)
    if told_at > at and told_ends > now then
      return 0
    end
    if told_user == user and user ~= "" then
      ends = math.max(ends, told_ends)
    end
  end
  redis.call("HSET", keys[1], visitor, string.format("%.0f %.0f %s", at, ends, user))
  local looked_over = redis.call("HRANDFIELD", keys[1], LOOKED_OVER, "WITHVALUES")
  for index = 1, #looked_over, 2 do
    local _, over = log_in_of(looked_over[index + 1])
    if over <= now then
      redis.call("HDEL", keys[1], looked_over[index])
    end
  end
  return 1
end

-- The networks of one shop day: their key is in this table alone, which the store writes to no disk ---------------------

local network_keys = {}

-- args: a day, its key if it has none yet, and the first day that is not over; the keys of days before are destroyed.
local function network_key(_, args)
  for day in pairs(network_keys) do
    if day < args[3] then
      network_keys[day] = nil
    end
  end
  network_keys[args[1]] = network_keys[args[1]] or args[2]
  return network_keys[args[1]]
end

-- The lease: one data directory takes events out -----------------------------------------------------------------------

-- args: the run of who asks; where the lease is to be taken or renewed too its holder as JSON, and for how long (ms; 0:
-- it is given back), and the run of a holder who is known to be gone. Answers who else holds it. A holder of an older
-- release has no run, and is known by its data directory. Its end stands in it: a key that expires might be evicted.
local function claim(keys, args)
  local now, held = now_ms(), redis.call("GET", keys[1])
  if held then
    local holder = cjson.decode(held)
    local run = holder.run or holder.log
    if run ~= args[1] and run ~= args[4] and (holder["until"] or math.huge) > now then
      return held
    end
  end
  if args[3] == "0" then
    redis.call("DEL", keys[1])
  elseif args[2] then
    local holder = cjson.decode(args[2])
    holder["until"] = now + tonumber(args[3])
    redis.call("SET", keys[1], cjson.encode(holder))
  end
  return false
end

redis.register_function("resonate_append", append)
redis.register_function({ function_name = "resonate_forget", callback = forget, flags = { "allow-oom" } })
redis.register_function({ function_name = "resonate_position", callback = position, flags = { "no-writes" } })
redis.register_function({ function_name = "resonate_memory", callback = memory, flags = { "no-writes" } })
redis.register_function({ function_name = "resonate_mark", callback = mark, flags = { "allow-oom" } })
redis.register_function({ function_name = "resonate_raise", callback = raise, flags = { "allow-oom" } })
redis.register_function({ function_name = "resonate_claim", callback = claim, flags = { "allow-oom" } })
redis.register_function("resonate_purchased", purchased)
redis.register_function("resonate_refunded", refunded)
redis.register_function("resonate_joined", joined)
redis.register_function("resonate_logged_in", logged_in)
redis.register_function({ function_name = "resonate_network_key", callback = network_key, flags = { "no-writes" } })
