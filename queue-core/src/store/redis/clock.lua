-- Nobody could be heard since `before`: what is held or collected lasts as much longer.
local function hold_longer(before)
  local gap = room.now - before
  for _, name in ipairs({ 'hold_until', 'collect_until' }) do
    if room[name] > before then room[name] = room[name] + gap end
  end
  redis.call('HSET', key('state'), 'hold_until', show(room.hold_until), 'collect_until', show(room.collect_until))
end

-- Shared time, as in `caller.rs`: what nobody can vouch for is spare, until a caller saw it pass.
local function pass_time()
  local host = host_time()
  local latest, expires = tonumber(ARGV[7]), tonumber(ARGV[8])
  local believed = room.now + math.max(0, host - room.host)
  local now = believed
  if latest > 0 then
    now = math.max(room.now, math.min(believed, latest))
    local spare = room.spare + believed - now
    local recovered = math.min(spare, math.max(0, latest - DRIFT - now))
    now, room.spare = now + recovered, spare - recovered
  end
  room.now, room.host = now, host
  if expires > 0 and host > expires then
    redis.call('HSET', key('state'), 'now', show(now), 'spare', show(room.spare), 'host', show(host))
    return { 'late', now, host }
  end
  if now - room.served > LONGEST_GAP then hold_longer(room.served) end
  room.served = now
end
