-- Stops or resumes admission. ARGV[9] 1 or 0.
local paused = tonumber(ARGV[9])
if paused ~= room.paused then
  room.paused = paused
  redis.call('HSET', key('state'), 'paused', paused)
  note('c', '')
end
return finish(0)
