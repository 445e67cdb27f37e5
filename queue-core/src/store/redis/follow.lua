-- Tells what changed after a version, or everything when entries are missing.
-- ARGV[11] the version (-1: everything), [12] the most versions to tell.
local after, bound = tonumber(ARGV[11]), tonumber(ARGV[12])
local missing = room.version - after
if after >= 0 and missing >= 0 and missing <= bound then
  local entries = missing > 0 and redis.call('XRANGE', key('log'), '(' .. show(after) .. '-0', '+') or {}
  if #entries == missing then return finish({ summary(), 1, entries }) end
end
local lives = {}
for _, stretch in ipairs(stretches()) do
  local gone, spent = {}, {}
  for first = stretch.start + 1, stretch.last, CHUNK do
    gone[#gone + 1] = redis.call('GET', (bit('gone', first))) or ''
    spent[#spent + 1] = redis.call('GET', (bit('spent', first))) or ''
  end
  lives[#lives + 1] = { stretch.start, stretch.last, gone, spent }
end
local ended = redis.call('ZRANGE', key('ended'), 0, -1, 'WITHSCORES')
return finish({ summary(), 0, lives, ended })
