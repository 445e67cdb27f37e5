-- Removes what time has ended, a bounded number a call: places silent for the retention, expired sessions, ended sessions whose
-- tickets have expired; and gives places to those who were collected.
-- ARGV[11] retention in ms, [12] the bound, [13] the periods of silence, [14] the longest gap between two sweeps in ms.
local retention, bound, silence, gap = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
-- When the last sweep was, and since when none was missed: nobody is silent while nobody could be heard.
local last, watched = string.match(redis.call('HGET', key('state'), 'swept') or '', '^(%d+):(%d+)$')
if not last or room.now > tonumber(last) + gap then watched = room.now end
redis.call('HSET', key('state'), 'swept', show(room.now) .. ':' .. show(tonumber(watched)))
local called = {}
if tonumber(watched) + retention <= room.now then
  called = redis.call('ZRANGEBYSCORE', CALLED, '-inf', show(room.now - retention), 'LIMIT', 0, bound)
end
local silent = silent_places(retention, silence, bound)
for _, member in ipairs(called) do leave_line(tonumber(member), 'gone') end
for _, score in ipairs(silent) do leave_line(score, 'gone') end

local expired = redis.call('ZRANGEBYSCORE', key('active'), '-inf', show(room.now - LEEWAY), 'LIMIT', 0, bound)
if #expired > 0 then
  redis.call('ZREM', key('active'), unpack(expired))
  redis.call('HDEL', key('sessions'), unpack(expired))
end
redis.call('ZREMRANGEBYSCORE', key('ended'), '-inf', show(room.now - LEEWAY))

local settled = {}
if room.collect_until > 0 and room.now >= room.collect_until then
  settled = redis.call('ZRANGE', key('collected'), 0, bound - 1)
  for _, visitor in ipairs(settled) do
    if not redis.call('ZSCORE', LINE, visitor) and not live(visitor) then
      room.last = room.last + 1
      redis.call('ZADD', LINE, show(room.last), visitor)
      note_latest('l', show(room.last))
    end
  end
  if #settled > 0 then redis.call('ZREM', key('collected'), unpack(settled)) end
  if redis.call('ZCARD', key('collected')) == 0 then redis.call('HSET', key('state'), 'collect_until', 0) end
end
return finish({ #called + #silent, #expired, #settled })
