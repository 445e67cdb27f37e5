-- Gives places up for good.
-- ARGV from 11: the places' scores.
local answers = {}
for i = 11, #ARGV do
  local score = tonumber(ARGV[i])
  local leaves = is_known(score) and not is_set('spent', score)
  if leaves then leave_line(score, 'spent') end
  answers[#answers + 1] = leaves and 1 or 0
end
return finish(answers)
