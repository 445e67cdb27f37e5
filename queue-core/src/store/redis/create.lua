-- A room's state comes into being at a first start. Whoever has seen the room does not begin it anew: then it was lost.
-- ARGV from 11: the limits (limits.lua); [20] the life; [21] how long nobody is let in yet, in ms.
if tonumber(ARGV[1]) == 0 and not room then
  local host = show(host_time())
  local listen = tonumber(ARGV[21])
  local heard = show(listen > 0 and host + listen or 0)
  redis.call('HSET', key('state'), 'life', ARGV[20], 'epoch', show(math.floor(ARGV[20] / SEQUENCES)), 'version', 0,
    'last', ARGV[20], 'frontier', 0, 'claims', 0, 'steps', 0, 'now', host, 'spare', 0, 'host', host, 'served', host,
    'tokens', show(ARGV[13] * PARTS), 'tokens_at', host,
    'total', ARGV[11], 'rate', ARGV[12], 'burst', ARGV[13], 'max_line', ARGV[14],
    'queue_all', ARGV[15], 'opens', ARGV[16], 'closes', ARGV[17],
    'limits_version', 1, 'operator', ARGV[18] == 'operator' and 1 or 0, 'source_at', ARGV[19],
    'paused', 0, 'began', host, 'hold_until', heard, 'held', 0, 'collect_until', heard, 'unknown_most', -1, 'unknown_carried', 0,
    'unknown_all', 0, 'unknown_until', 0, 'unknown_known', 0, 'unknown_seen', 0, 'past', '', 'server', ARGV[10])
  room = load()
end
