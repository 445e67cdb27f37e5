-- Prolongs sessions, never beyond the longest and never backwards.
-- ARGV[11] longest session in ms; then fours: visitor, start and end in ms as the ticket says, span in ms.
local longest = tonumber(ARGV[11])
local answers = {}
for i = 12, #ARGV, 4 do
  local visitor = ARGV[i]
  find_session(visitor, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), 0)
  local session = live(visitor)
  if session then
    local ends = math.max(session.ends, session_end(session.started, tonumber(ARGV[i + 3]), longest))
    redis.call('ZADD', key('active'), show(ends), visitor)
    answers[#answers + 1] = { 'until', session.started, ends }
  else
    answers[#answers + 1] = { 'ended' }
  end
end
return finish(answers)
