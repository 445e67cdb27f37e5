-- A room's state comes into being at a first start. Whoever has seen the room does not begin it anew: then it was lost.
-- ARGV from 10: the limits (limits.lua); [19] the life; [20] how long nobody is let in yet, in ms.
if tonumber(ARGV[1]) == 0 and not room then
  local host = show(host_time())
  local listen = tonumber(ARGV[20])
  local heard = show(listen > 0 and host + listen or 0)
  redis.call('HSET', key('state'), 'life', ARGV[19], 'epoch', show(math.floor(ARGV[19] / SEQUENCES)), 'version', 0,
    'last', ARGV[19], 'frontier', 0, 'claims', 0, 'now', host, 'spare', 0, 'host', host,
    'tokens', show(ARGV[12] * PARTS), 'tokens_at', host,
    'total', ARGV[10], 'rate', ARGV[11], 'burst', ARGV[12], 'max_line', ARGV[13],
    'queue_all', ARGV[14], 'opens', ARGV[15], 'closes', ARGV[16],
    'limits_version', 1, 'operator', ARGV[17] == 'operator' and 1 or 0, 'source_at', ARGV[18],
    'paused', 0, 'began', host, 'hold_until', heard, 'held', 0, 'collect_until', heard, 'unknown_most', -1, 'unknown_carried', 0,
    'unknown_all', 0, 'unknown_until', 0, 'unknown_known', 0, 'past', '', 'server', ARGV[9])
  room = load()
end
