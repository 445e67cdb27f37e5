-- Gives each visitor the next place, or lets it straight in when nobody waits and the cohort has room. While arrivals are
-- collected nobody gets one.
-- ARGV[11], [12] session and longest session in ms; then pairs: visitor, when it came while the store was away in ms ('': now).
local span, longest = tonumber(ARGV[11]), tonumber(ARGV[12])
local visitors, since = {}, {}
for i = 13, #ARGV, 2 do
  visitors[#visitors + 1] = ARGV[i]
  since[#since + 1] = ARGV[i + 1]
end

if #visitors == 0 then return finish({}) end

local placed = redis.call('ZMSCORE', LINE, unpack(visitors))
local staying = redis.call('HMGET', key('sessions'), unpack(visitors))
local length = redis.call('ZCARD', LINE)
local closed = room.closes > 0 and room.now >= room.closes
local collecting = room.collect_until > 0
local collected = collecting and redis.call('ZCARD', key('collected')) or 0
local answers, additions, given = {}, {}, {}
local straight = {}

local function collect(visitor, told, full)
  local known = redis.call('ZSCORE', key('collected'), visitor)
  if known then return { 'collected', known } end
  if full and told == '' then return { 'full' } end
  local at = show(told == '' and room.now or math.min(room.now, tonumber(told)))
  redis.call('ZADD', key('collected'), at, visitor)
  collected = collected + 1
  return { 'collected', at }
end

for i, visitor in ipairs(visitors) do
  local known = given[visitor] or (placed[i] and show(tonumber(placed[i])))
  local session = not known and (staying[i] or straight[visitor]) and live(visitor)
  local full = length + collected >= room.max_line or is_used_up()
  if known then
    answers[i] = { 'placed', known }
  elseif session and session.score ~= '0' then
    answers[i] = { 'admitted', session.score, session.started, session.ends }
  elseif closed then
    answers[i] = { 'closed' }
  elseif collecting then
    answers[i] = collect(visitor, since[i], full)
  else
    local enters = length == 0 and not refusal()
    if not enters and full then
      answers[i] = { 'full' }
    else
      room.last = room.last + 1
      local score = show(room.last)
      if enters then
        local ends = begin_session(visitor, room.last, span, longest)
        room.frontier = room.last
        note_latest('l', score)
        note_latest('f', score)
        spend_new(room.last)
        straight[visitor] = true
        answers[i] = { 'admitted', score, room.now, ends }
      else
        length = length + 1
        additions[#additions + 1] = score
        additions[#additions + 1] = visitor
        given[visitor] = score
        answers[i] = { 'placed', score }
      end
    end
  end
end

if #additions > 0 then
  redis.call('ZADD', LINE, unpack(additions))
  note_latest('l', show(room.last))
end
return finish(answers)
