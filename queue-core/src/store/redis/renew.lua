-- Prolongs sessions, never beyond the longest and never backwards.
-- ARGV[9] longest session in ms; then pairs: visitor, span in ms.
local longest = tonumber(ARGV[9])
local answers = {}
for i = 10, #ARGV, 2 do
  local visitor = ARGV[i]
  local session = live(visitor)
  if session then
    local ends = math.max(session.ends, session_end(session.started, tonumber(ARGV[i + 1]), longest))
    redis.call('ZADD', key('active'), show(ends), visitor)
    answers[#answers + 1] = { 'until', session.started, ends }
  else
    answers[#answers + 1] = { 'ended' }
  end
end
return finish(answers)
