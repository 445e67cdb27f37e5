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
end
