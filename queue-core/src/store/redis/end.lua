-- Ends sessions before their time and remembers them until their tickets have expired.
-- ARGV from 11: triples: visitor, start and end in ms as the ticket says.
local answers = {}
for i = 11, #ARGV, 3 do
  local visitor, told = ARGV[i], tonumber(ARGV[i + 2])
  find_session(visitor, tonumber(ARGV[i + 1]), told, 0)
  local session = live(visitor)
  if session then remember_end(visitor, math.max(session.ends, told)) end
  answers[#answers + 1] = session and 1 or 0
end
return finish(answers)
