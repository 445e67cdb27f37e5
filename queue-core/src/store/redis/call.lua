-- Applies a release decision if what it rests on has not changed.
-- ARGV[9] the frontier and [10] the limits' version it rests on, [11] heard-for in ms; then the called sequences, ascending.
local to = tonumber(ARGV[#ARGV])
local fresh = #ARGV > 11 and tonumber(ARGV[9]) == room.frontier and tonumber(ARGV[10]) == room.limits_version
  and room.paused == 0 and to > room.frontier and to <= room.last
if not fresh then return finish(0) end
local until_then = show(room.now + tonumber(ARGV[11]))
for i = 12, #ARGV do
  local sequence = tonumber(ARGV[i])
  if not is_set('spent', sequence) and not is_set('gone', sequence) then
    redis.call('ZADD', key('called'), until_then, show(sequence))
  end
end
room.frontier = to
note('f', show(to))
return finish(1)
