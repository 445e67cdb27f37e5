-- Stops or resumes admission. ARGV[10] 1 or 0.
local paused = tonumber(ARGV[10])
if paused ~= room.paused then
  room.paused = paused
  room.limits_version = room.limits_version + 1
  redis.call('HSET', key('state'), 'paused', paused, 'limits_version', show(room.limits_version))
  note('c', '')
end
return finish(0)
