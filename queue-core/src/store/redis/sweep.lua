-- Removes what time has ended, a bounded number a call: called places silent for the retention, expired sessions, and
-- ended sessions whose tickets have expired.
-- ARGV[9] retention in ms, [10] the bound.
local retention, bound = tonumber(ARGV[9]), tonumber(ARGV[10])
local silent = redis.call('ZRANGEBYSCORE', key('called'), '-inf', show(room.now - retention), 'LIMIT', 0, bound)
for _, member in ipairs(silent) do leave_line(tonumber(member), 'gone') end
local expired = redis.call('ZRANGEBYSCORE', key('active'), '-inf', show(room.now - LEEWAY), 'LIMIT', 0, bound)
if #expired > 0 then
  redis.call('ZREM', key('active'), unpack(expired))
  redis.call('HDEL', key('sessions'), unpack(expired))
end
redis.call('ZREMRANGEBYSCORE', key('ended'), '-inf', show(room.now - LEEWAY))
return finish({ #silent, #expired })
