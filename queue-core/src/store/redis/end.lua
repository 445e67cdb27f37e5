-- Ends sessions before their time and remembers them until their tickets have expired.
-- ARGV from 9: pairs: visitor, latest expiry of its tickets in ms.
local answers = {}
for i = 9, #ARGV, 2 do
  local visitor = ARGV[i]
  local session = live(visitor)
  if session then
    local till = math.max(session.ends, tonumber(ARGV[i + 1]))
    redis.call('ZREM', key('active'), visitor)
    redis.call('HDEL', key('sessions'), visitor)
    redis.call('ZADD', key('ended'), show(till), visitor)
    note('e', visitor .. show(till))
  end
  answers[#answers + 1] = session and 1 or 0
end
return finish(answers)
