-- Gives places up for good.
-- ARGV from 9: the places' scores.
local answers = {}
for i = 9, #ARGV do
  local epoch, sequence = split(tonumber(ARGV[i]))
  local leaves = epoch == room.epoch and sequence <= room.last and not is_set('spent', sequence)
  if leaves then leave_line(sequence, 'spent') end
  answers[#answers + 1] = leaves and 1 or 0
end
return finish(answers)
