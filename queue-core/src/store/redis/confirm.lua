-- A write after which WAIT waits for all writes before it. ARGV[1], [2] life and version of the room after the step that
-- is to be confirmed: a server that does not have that step must not confirm it.
local state = redis.call('HMGET', KEYS[1] .. ':state', 'life', 'version')
if not state[1] or tonumber(state[1]) ~= tonumber(ARGV[1]) or tonumber(state[2]) < tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1] .. ':confirmed', ARGV[2], 'PX', 60000)
return 1
