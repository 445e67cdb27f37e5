-- Tells what changed after a version, or everything when entries are missing.
-- ARGV[9] the version (-1: everything), [10] the most versions to tell.
local after, bound = tonumber(ARGV[9]), tonumber(ARGV[10])
local missing = room.version - after
if after >= 0 and missing <= bound then
  local entries = missing > 0 and redis.call('XRANGE', key('log'), '(' .. show(after) .. '-0', '+') or {}
  if #entries == missing then return finish({ summary(), 1, entries }) end
end
local gone, spent = {}, {}
for chunk = 0, math.floor(math.max(0, room.last - 1) / CHUNK) do
  local suffix = ':' .. show(room.epoch) .. ':' .. show(chunk)
  gone[#gone + 1] = redis.call('GET', key('gone' .. suffix)) or ''
  spent[#spent + 1] = redis.call('GET', key('spent' .. suffix)) or ''
end
local ended = redis.call('ZRANGE', key('ended'), 0, -1, 'WITHSCORES')
return finish({ summary(), 0, gone, spent, ended })
