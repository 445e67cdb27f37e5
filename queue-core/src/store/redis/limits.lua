-- Proposes limits: an operator's outlive every config until reset; among configs the newest wins.
-- ARGV[11..17] total, rate, burst, longest line, queue_all, opening and closing in ms (0: none); [18] config, operator or
-- reset; [19] when the config was loaded, in ms.
local function propose()
  local source, at = ARGV[18], tonumber(ARGV[19])
  if source == 'config' and (room.operator == 1 or at < room.source_at) then return 0 end
  if source ~= 'config' then at = room.now end
  room.operator = source == 'operator' and 1 or 0
  local names = { 'total', 'rate', 'burst', 'max_line', 'queue_all', 'opens', 'closes' }
  local changed = false
  for i, name in ipairs(names) do changed = changed or room[name] ~= tonumber(ARGV[10 + i]) end
  if changed then
    -- What was saved up to now was saved at the old rate; the new one keeps the fill.
    refill()
    for i, name in ipairs(names) do room[name] = tonumber(ARGV[10 + i]) end
    refill()
  end
  if source ~= 'config' then
    number_word()
  elseif changed then
    room.limits_version = room.limits_version + 1
    note('c', '')
  end
  redis.call('HSET', key('state'), 'operator', room.operator, 'source_at', show(at), 'total', room.total,
    'rate', room.rate, 'burst', room.burst, 'max_line', room.max_line, 'queue_all', room.queue_all,
    'opens', show(room.opens), 'closes', show(room.closes), 'limits_version', show(room.limits_version))
  return 1
end
