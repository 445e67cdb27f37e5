-- Arrivals are collected for a while before anybody gets a place. ARGV[11] for how long, in ms.
room.collect_until = math.max(room.collect_until, room.now + tonumber(ARGV[11]))
redis.call('HSET', key('state'), 'collect_until', show(room.collect_until))
return finish(0)
