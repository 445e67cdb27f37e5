-- Gives each visitor the next place, or lets it straight in when nobody waits and the cohort has room.
-- ARGV[9], [10] session and longest session in ms; then the visitors.
local span, longest = tonumber(ARGV[9]), tonumber(ARGV[10])
local visitors = {}
for i = 11, #ARGV do visitors[#visitors + 1] = ARGV[i] end

if #visitors == 0 then return finish({}) end

local placed = redis.call('ZMSCORE', key('line'), unpack(visitors))
local staying = redis.call('HMGET', key('sessions'), unpack(visitors))
local length = redis.call('ZCARD', key('line'))
local closed = room.closes > 0 and room.now >= room.closes
local answers, additions, given = {}, {}, {}
local straight = {}

for i, visitor in ipairs(visitors) do
  local known = given[visitor] or (placed[i] and show(tonumber(placed[i])))
  local session = not known and (staying[i] or straight[visitor]) and live(visitor)
  if known then
    answers[i] = { 'placed', known }
  elseif session then
    answers[i] = { 'admitted', session.score, session.started, session.ends }
  elseif closed then
    answers[i] = { 'closed' }
  else
    local enters = length == 0 and not refusal()
    if not enters and length >= room.max_line then
      answers[i] = { 'full' }
    else
      room.last = room.last + 1
      local score = score_of(room.last)
      if enters then
        local ends = begin_session(visitor, room.last, span, longest)
        room.frontier = room.last
        note_latest('l', show(room.last))
        note_latest('f', show(room.last))
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
  redis.call('ZADD', key('line'), unpack(additions))
  note_latest('l', show(room.last))
end
return finish(answers)
