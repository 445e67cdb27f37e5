### Words of the waiting page, English.
### `page-` and `error-` are written by the server alone; the others also travel to the page's script.
### Numbers arrive as text in `$value`; `$n` is the number that decides the plural.

## What is happening: tab title, heading, one sentence, label of the one button.

title-lobby = Opens soon
heading-lobby = The doors open soon
lead-lobby = Everyone who is here at the opening is drawn into a random order. Coming early or reloading makes no difference.

title-waiting = In line
heading-waiting = You are in line
lead-waiting = People go in one after another, as fast as the service can take them.

title-nearly = Almost your turn
heading-nearly = It is almost your turn
lead-nearly = Please keep this page open. It takes you in by itself.

title-called = Your turn
heading-called = It is your turn
lead-called = Your turn is held for {$time} while this page is open.
action-called = Enter now

title-admitted = Come in
heading-admitted = Come in
lead-admitted = We are opening the page for you.

title-paused = Paused
heading-paused = The line is paused
lead-paused = Nobody is being let in right now. Everyone keeps their place, and it goes on from there.

title-full = Line full
heading-full = The line is full
lead-full = No more places can be given right now, and you do not have one yet. This page looks again by itself.
action-full = Try again

title-closed = Closed
heading-closed = Entry is closed
lead-closed = Nobody is being let in any more, and no new places are given.
action-closed = Look again

title-ended = Visit over
heading-ended = Your visit is over
lead-ended = The time for your visit has ended. You are welcome to join the line again, with a new place.
action-ended = Join the line

title-left = You left
heading-left = You have left the line
lead-left = Your place has been given up. If you change your mind, you can join again with a new place.
action-left = Join the line

title-expired = Place not found
heading-expired = We could not find your place
lead-expired = This browser no longer holds a valid place, for example because its cookies were deleted.
action-expired = Join the line

## Numbers and times.

people =
    { $n ->
        [one] of {$value} person in line
       *[other] of {$value} people in line
    }
seconds =
    { $n ->
        [one] {$value} second
       *[other] {$value} seconds
    }
minutes =
    { $n ->
        [one] {$value} minute
       *[other] {$value} minutes
    }
hours =
    { $n ->
        [one] {$value} hour
       *[other] {$value} hours
    }
range = {$low}–{$high}
about = about {$time}
soon = less than a minute
unknown = checking …
opens-in = Opens in {$time}
opens-now = Opening now

## Notes: why a number grew, what is wrong at the moment.

moved-returned = Someone ahead of you came back to the place they already had, so your number went up.
moved-lane = People with priority joined ahead of you, so your number went up.
moved-operator = The organiser changed the order of the line, so your number went up.
moved-restored = The line was restored after a fault, with everyone back in their own place, so your number went up.
slower = People are going in more slowly than before, so the estimate has grown.
restoring = The line is being restored after a fault. Nobody is let in until everyone has been heard again; your place is safe.
degraded = We are reconnecting to the line. The numbers may be a little old; your place is safe.
offline = No connection right now. Your place is safe, and this page keeps trying.
trouble = The line is not answering right now. Your place is safe, and this page keeps trying.
busy = Very many people are checking at once. This page checks a little later; your place is safe.
leave-failed = That did not get through. Please try again in a moment.

## What is read aloud when something changes.

say-position = Your position: {$value}.
say-wait = Estimated wait: {$time}.

## Telling the visitor in another tab or window.

notify = Notify me when it is my turn
notify-on = You will be notified
notify-off = This browser cannot notify you

## Around it.

page-position = Your position
page-wait = Estimated wait
page-progress = How far you have come
page-opening = Opening time
page-message = From the organiser
page-tips = Good to know
page-tip-keep = You keep your place. There is no need to refresh.
page-tip-turn = When it is your turn, this page takes you in by itself. Your turn is then held for {$time}.
page-tip-return = If this page closes, come back with the same browser: your place is still yours.
page-updated = Last updated
page-joined = In line since
page-again = This page checks again by itself every {$time}.
page-check = Check now
page-how = How does the line work?
page-how-place = Everyone gets one place, and it never changes. You move up as people ahead of you go in or leave.
page-how-wait = The wait is an estimate from how fast people are going in right now. It is a range because nobody can know it exactly.
page-how-data = Your place is kept in a cookie of this site. Nothing is shared with anyone else.
page-leave = Leave the line
page-leave-warning = You give up your place for good. Someone behind you moves up.
page-leave-button = Yes, give up my place

## Plain error pages.

error-429-title = Too many requests
error-429-heading = A little too fast
error-429-lead = Many requests came from your connection in a short time. Please wait a moment and try again.
error-502-title = Not available
error-502-heading = The service is not answering
error-502-lead = Something behind this page does not answer as it should. Your place or your visit is not lost.
error-503-title = Not available
error-503-heading = Not available right now
error-503-lead = We cannot take your request at the moment. If you have a place or a visit, it is not lost.
error-504-title = Too slow
error-504-heading = The service is too slow right now
error-504-lead = The answer took too long. Please look whether your last step went through before you repeat it.
error-other-title = Error
error-other-heading = That did not work
error-other-lead = Your request could not be answered.
error-retry = Please try again in {$time}.
error-again = Try again
error-status = Status {$value}
