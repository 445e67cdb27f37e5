-- A store that lost something, or that has not heard what its caller remembers, does nothing.
if not room then return { 'absent' } end
if is_behind() then return { 'behind', mark() } end
if is_moved() then return { 'moved', mark() } end
if tonumber(ARGV[1]) > 0 and tonumber(ARGV[1]) < room.life then return { 'unmerged', mark() } end
local late = pass_time()
if late then return late end
