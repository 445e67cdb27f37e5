-- Marks places as heard in a period that is over, and notes that the gateway runs and has brought them.
-- ARGV[11] gateway, [12] period, [13] its length in ms, [14] the periods of silence; then triples: epoch, chunk, bits.
local period, length, silence = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
local current = math.floor(room.now / length)
local before = tonumber(string.match(redis.call('HGET', key('gateways'), ARGV[11]) or '0', '^%d+'))
-- A period that has not begun was named by a wrong clock: what is heard in it will still be brought.
local merged = period <= current and math.max(before, period) or before
redis.call('HSET', key('gateways'), ARGV[11], show(merged) .. ':' .. show(room.now))
if current - silence <= period and period <= current then
  for i = 15, #ARGV, 3 do
    local marks, new = key('seen:' .. show(period) .. ':' .. ARGV[i] .. ':' .. ARGV[i + 1]), key('new')
    redis.call('SET', new, ARGV[i + 2])
    redis.call('BITOP', 'OR', marks, marks, new)
    redis.call('UNLINK', new)
    redis.call('PEXPIRE', marks, show((silence + 3) * length))
  end
end
return finish(0)
