-- Applies a release decision if what it rests on has not changed.
-- ARGV[11] the frontier and [12] the limits' version it rests on, [13] heard-for in ms; then the called places, ascending.
local to = tonumber(ARGV[#ARGV])
local fresh = #ARGV > 13 and tonumber(ARGV[11]) == room.frontier and tonumber(ARGV[12]) == room.limits_version
  and room.paused == 0 and to > room.frontier and to <= room.last
if not fresh then return finish(0) end
local until_then = show(room.now + tonumber(ARGV[13]))
for i = 14, #ARGV do
  local score = tonumber(ARGV[i])
  if is_known(score) and not is_set('spent', score) and not is_set('gone', score) then
    redis.call('ZADD', CALLED, until_then, show(score))
  end
end
room.frontier = to
note('f', show(to))
return finish(1)
