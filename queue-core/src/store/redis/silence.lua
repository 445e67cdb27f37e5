-- Who was not heard for the retention, as in `silence.rs`: the next waiting places beyond the frontier, a bounded number.
local function silent_places(retention, silence, bound)
  local length = math.max(1, math.floor(retention / silence))
  local current = math.floor(room.now / length)
  local oldest = math.max(0, current - silence - 1)
  redis.call('HSETNX', key('periods'), show(current), show(room.last))
  local swept = {}
  local rows = redis.call('HGETALL', key('periods'))
  for i = 1, #rows, 2 do
    local period = tonumber(rows[i])
    swept[period] = tonumber(rows[i + 1])
    if period < oldest then redis.call('HDEL', key('periods'), rows[i]) end
  end
  local complete = true
  for period = oldest, current - 1 do complete = complete and swept[period] ~= nil end
  rows = redis.call('HGETALL', key('gateways'))
  for i = 1, #rows, 2 do
    local merged, alive = string.match(rows[i + 1], '^(%d+):(%d+)$')
    if tonumber(alive) + retention <= room.now then
      redis.call('HDEL', key('gateways'), rows[i])
    else
      complete = complete and tonumber(merged) >= math.max(0, current - 1)
    end
  end
  local given = swept[oldest]
  if not complete or not given then return {} end

  local period, reached = string.match(redis.call('HGET', key('state'), 'searched') or '', '^(%d+):(%d+)$')
  local from = room.frontier
  if tonumber(period or -1) == current then from = math.max(from, tonumber(reached)) end
  local found = {}
  for _, stretch in ipairs(stretches()) do
    local at, to = math.max(stretch.start, from) + 1, math.min(stretch.last, given)
    while at <= to and #found < bound do
      local gone, offset = bit('gone', at)
      local first = at - offset
      local spent = bit('spent', at)
      local chunk = string.match(gone, '(%d+:%d+)$')
      local stop = math.min(to, first + CHUNK - 1)
      local marks = key('marks')
      local sources = { gone, spent }
      for back = 1, silence do
        sources[#sources + 1] = key('seen:' .. show(math.max(0, current - back)) .. ':' .. chunk)
      end
      redis.call('BITOP', 'OR', marks, unpack(sources))
      -- The search ends at a bit that is certainly there and clear.
      local beyond = stop - first + 1
      redis.call('SETBIT', marks, beyond, 0)
      while #found < bound do
        local next = redis.call('BITPOS', marks, 0, offset, beyond, 'BIT')
        if next < 0 or next >= beyond then break end
        found[#found + 1] = first + next
        offset = next + 1
      end
      redis.call('UNLINK', marks)
      at = stop + 1
    end
  end
  reached = #found < bound and given or found[#found]
  redis.call('HSET', key('state'), 'searched', show(current) .. ':' .. show(math.max(reached, from)))
  return found
end
