//! The scripts of a queue. Each has the same four keys, which lie in one slot of a cluster:
//!
//! | | |
//! | --- | --- |
//! | `KEYS[1]` | the stream of writes, with the consumer group `larder` |
//! | `KEYS[2]` | a hash: `l:` and a cache key is the last write of it that waits; `c:` and a cache key is there while a commit of it is under way; `a:` and an ID is how often that write was begun by itself, and never ended |
//! | `KEYS[3]` | the stream of writes that were given up |
//! | `KEYS[4]` | the token of the process that consumes, for as long as its lease lasts |
//!
//! A server without room refuses the first write of a script if it may need memory, and lets those pass that follow one
//! which needs none. So what has to go on there, to make room, begins with an `HDEL` of a field that is never there.

use crate::{link::Operation, redis::script::Script};

/// Appends writes, all or none: `ARGV[1]` how many may wait, then for each the cache key or nothing, the key and the value.
/// Gives for each its ID, and whether a commit of its cache key is under way. What was given up counts as waiting: it is
/// bounded too, and never dropped.
pub(super) static APPEND: Script = Script::new(
    Operation::Queue,
    r"
    local waiting, dead = redis.call('XLEN', KEYS[1]), redis.call('XLEN', KEYS[3])
    if waiting + dead + (#ARGV - 1) / 3 > tonumber(ARGV[1]) then return {false, waiting, dead} end
    local kept = {}
    for i = 2, #ARGV, 3 do
      local shown, committing, id = ARGV[i], 0, nil
      if shown == '' then
        id = redis.call('XADD', KEYS[1], '*', 'k', ARGV[i + 1], 'v', ARGV[i + 2])
      else
        id = redis.call('XADD', KEYS[1], '*', 'k', ARGV[i + 1], 'v', ARGV[i + 2], 'c', shown)
        redis.call('HSET', KEYS[2], 'l:' .. shown, id)
        committing = redis.call('HEXISTS', KEYS[2], 'c:' .. shown)
      end
      kept[#kept + 1] = id
      kept[#kept + 1] = committing
    end
    return kept",
);

/// Takes the lease for the token `ARGV[1]` and `ARGV[2]` milliseconds, and makes the group if there is none: from the
/// first write on, also of one that another process made.
pub(super) static TAKE_OVER: Script = Script::new(
    Operation::Queue,
    r"
    local holder = redis.call('GET', KEYS[4])
    if holder and holder ~= ARGV[1] then return 0 end
    redis.call('HDEL', KEYS[2], '')
    redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[2])
    local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], 'larder', '0', 'MKSTREAM')
    if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
    return 1",
);

/// Gives the holder `ARGV[1]` of the lease `ARGV[2]` milliseconds from now.
pub(super) static RENEW: Script = Script::new(
    Operation::Queue,
    r"
    if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 0 end
    redis.call('PEXPIRE', KEYS[4], ARGV[2])
    return 1",
);

/// Ends the lease of `ARGV[1]`.
pub(super) static RELEASE: Script = Script::new(
    Operation::Queue,
    r"
    if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[4])",
);

/// A function of scripts. A server that takes the place of a master may lack the last that this one did. Then a write
/// that was settled waits again, and it is older than those that the consumer goes on with: `has_returned` says whether
/// there is one. `oldest` is the oldest of those that the consumer has, `count` how many these are, or nothing if others
/// are still to be claimed; those from `next` on were given in a reply that was lost.
macro_rules! has_returned {
    ($then:literal) => {
        concat!(
            r"
    local function is_before(one, other)
      local ms, sequence = string.match(one, '(%d+)-(%d+)')
      local other_ms, other_sequence = string.match(other, '(%d+)-(%d+)')
      if ms ~= other_ms then return tonumber(ms) < tonumber(other_ms) end
      return tonumber(sequence) < tonumber(other_sequence)
    end
    local function has_returned(oldest, count, next)
      local pending = redis.pcall('XPENDING', KEYS[1], 'larder')
      if pending.err or pending[1] == 0 then return false end
      if is_before(pending[2], oldest) then return true end
      return count ~= '' and is_before(pending[3], next) and pending[1] > tonumber(count)
    end",
            $then
        )
    };
}

/// Gives the holder `ARGV[1]` of the lease up to `ARGV[2]` writes that were given to none before; where there is none,
/// the last ID in the stream. A group that went with its stream is made again. If writes from the ID `ARGV[3]` on were
/// given, they never arrived: it gives this ID alone, since what is later has to wait for them. That is looked at here, and
/// not by the one that misses a reply: what it asked for may run later still. `ARGV[4]` to `ARGV[6]` are for
/// `has_returned`: if it has, that is as if the lease was lost.
pub(super) static FETCH: Script = Script::new(
    Operation::Queue,
    has_returned!(
        r"
    if redis.call('GET', KEYS[4]) ~= ARGV[1] then return false end
    if has_returned(ARGV[4], ARGV[5], ARGV[6]) then return false end
    local lost = redis.pcall('XAUTOCLAIM', KEYS[1], 'larder', 'larder', 0, ARGV[3], 'COUNT', 1, 'JUSTID')
    if not lost.err and (lost[1] ~= '0-0' or lost[2][1]) then return {ARGV[3]} end
    local function read()
      return redis.pcall('XREADGROUP', 'GROUP', 'larder', 'larder', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], '>')
    end
    local records = read()
    if type(records) == 'table' and records.err then
      if not string.find(records.err, 'NOGROUP', 1, true) then return records end
      redis.call('XGROUP', 'CREATE', KEYS[1], 'larder', '0', 'MKSTREAM')
      records = read()
      if type(records) == 'table' and records.err then return records end
    end
    if records then return {records, ''} end
    local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
    return {{}, newest[1] and newest[1][1] or ''}"
    ),
);

/// Gives the holder `ARGV[1]` of the lease up to `ARGV[3]` writes that a consumer was given and has not settled, from
/// the ID `ARGV[2]` on. They need not have been idle for a time of their own: the lease of that consumer has ended. Gives
/// the next ID, the writes, and the IDs of those that were given more than `ARGV[4]` times; none of these where
/// `XPENDING` may not be asked. What was deleted counts as given no longer: Redis 6.2 does not see to that.
pub(super) static CLAIM: Script = Script::new(
    Operation::Queue,
    r"
    if redis.call('GET', KEYS[4]) ~= ARGV[1] then return false end
    local claimed = redis.call('XAUTOCLAIM', KEYS[1], 'larder', 'larder', 0, ARGV[2], 'COUNT', ARGV[3])
    local first, last, deleted
    for _, record in ipairs(claimed[2]) do
      if record then first, last = first or record[1], record[1] else deleted = true end
    end
    if deleted then
      for _, given in ipairs(redis.pcall('XPENDING', KEYS[1], 'larder', ARGV[2], '+', ARGV[3])) do
        local id = given[1]
        if not redis.call('XRANGE', KEYS[1], id, id)[1] then redis.call('XACK', KEYS[1], 'larder', id) end
      end
    end
    local often = {}
    if first then
      local pending = redis.pcall('XPENDING', KEYS[1], 'larder', first, last, ARGV[3])
      for _, given in ipairs(pending) do
        if given[4] > tonumber(ARGV[4]) then often[#often + 1] = given[1] end
      end
    end
    return {claimed[1], claimed[2], often}",
);

/// Counts that the write `ARGV[1]` is about to be written by itself, and says how often that was begun and never came
/// to an end.
pub(super) static BEGIN_ALONE: Script = Script::new(
    Operation::Queue,
    r"
    local begun = (tonumber(redis.call('HGET', KEYS[2], 'a:' .. ARGV[1])) or 0) + 1
    redis.call('HDEL', KEYS[2], '')
    redis.call('HSET', KEYS[2], 'a:' .. ARGV[1], begun)
    return begun",
);

/// Marks cache keys whose commit begins, and says of each whether no later write of it waits: pairs of a cache key and
/// the last write that is committed. One that is settled is not marked: this was repeated, and runs late, and nothing would
/// remove the mark.
pub(super) static BEGIN_COMMIT: Script = Script::new(
    Operation::Queue,
    r"
    local due = {}
    redis.call('HDEL', KEYS[2], '')
    for i = 1, #ARGV, 2 do
      local last = redis.call('HGET', KEYS[2], 'l:' .. ARGV[i])
      if last and last ~= ARGV[i + 1] then
        due[#due + 1] = 0
      else
        if last or redis.call('XRANGE', KEYS[1], ARGV[i + 1], ARGV[i + 1])[1] then
          redis.call('HSET', KEYS[2], 'c:' .. ARGV[i], '')
        end
        due[#due + 1] = 1
      end
    end
    return due",
);

/// Removes writes: `ARGV[1]` the token, `ARGV[2]` to `ARGV[4]` for `has_returned` (then nothing is removed: what has
/// returned is to be written before these, which are written once more), then a number and as many IDs that are over, then
/// a number and as many pairs of an ID that is given up and the reason, then pairs of a cache key and the last write of it
/// that this is about. What is given up is moved as it is, fields that no release of larder knows included.
pub(super) static SETTLE: Script = Script::new(
    Operation::Queue,
    has_returned!(
        r"
    local mine = redis.call('GET', KEYS[4]) == ARGV[1]
    if mine and has_returned(ARGV[2], ARGV[3], ARGV[4]) then return 0 end
    local at = 5
    local function remove(id)
      redis.pcall('XACK', KEYS[1], 'larder', id)
      redis.call('XDEL', KEYS[1], id)
    end
    local done = tonumber(ARGV[at])
    for i = at + 1, at + done do remove(ARGV[i]) end
    at = at + done + 1
    local dead = tonumber(ARGV[at])
    redis.call('HDEL', KEYS[2], '')
    for i = at + 1, at + 2 * dead, 2 do
      local record = mine and redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
      if record then
        local words, fields = {'XADD', KEYS[3], '*'}, record[2]
        -- A call takes some 8,000 words.
        if #fields > 4000 then fields = {'packed', cmsgpack.pack(fields)} end
        for j = 1, #fields do words[#words + 1] = fields[j] end
        for _, word in ipairs({'reason', ARGV[i + 1], 'id', ARGV[i]}) do words[#words + 1] = word end
        redis.call(unpack(words))
      end
      if mine then remove(ARGV[i]) end
    end
    for i = at + 2 * dead + 1, #ARGV, 2 do
      redis.call('HDEL', KEYS[2], 'c:' .. ARGV[i])
      if redis.call('HGET', KEYS[2], 'l:' .. ARGV[i]) == ARGV[i + 1] then
        redis.call('HDEL', KEYS[2], 'l:' .. ARGV[i])
      end
    end
    return mine and 1 or 0"
    ),
);

/// Appends these dead letters again, as new writes, and says how many were there.
pub(super) static REPLAY: Script = Script::new(
    Operation::Queue,
    r"
    local count = 0
    for i = 1, #ARGV do
      local letter = redis.call('XRANGE', KEYS[3], ARGV[i], ARGV[i])[1]
      if letter then
        local words, cache_key = {'XADD', KEYS[1], '*'}, nil
        for j = 1, #letter[2] - 4 do words[#words + 1] = letter[2][j] end
        for j = 1, #letter[2] - 4, 2 do
          if letter[2][j] == 'c' then cache_key = letter[2][j + 1] end
        end
        local id = redis.call(unpack(words))
        if cache_key then redis.call('HSET', KEYS[2], 'l:' .. cache_key, id) end
        redis.call('XDEL', KEYS[3], ARGV[i])
        count = count + 1
      end
    end
    return count",
);
