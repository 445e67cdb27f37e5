-- Stops or resumes admission. ARGV[11] 1 or 0.
room.paused = tonumber(ARGV[11])
number_word()
redis.call('HSET', key('state'), 'paused', room.paused, 'limits_version', show(room.limits_version))
return finish(0)
