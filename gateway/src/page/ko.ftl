### Words of the waiting page, Korean. The rules are those of en.ftl; polite style throughout (합쇼체).

## What is happening: tab title, heading, one sentence, label of the one button.

title-lobby = 곧 시작
heading-lobby = 곧 입장을 시작합니다
lead-lobby = 시작 시각에 이곳에 계신 모든 분의 순서를 무작위로 추첨합니다. 먼저 오시거나 새로고침을 하셔도 결과는 달라지지 않습니다.

title-waiting = 대기 중
heading-waiting = 순서를 기다리고 있습니다
lead-waiting = 서비스가 감당할 수 있는 속도에 맞추어 차례대로 입장하고 있습니다.

title-nearly = 곧 차례
heading-nearly = 곧 고객님 차례입니다
lead-nearly = 이 화면을 그대로 열어 두십시오. 차례가 되면 자동으로 입장합니다.

title-called = 차례 도착
heading-called = 고객님 차례입니다
lead-called = 이 화면이 열려 있으면 {$time} 동안 차례를 유지해 드립니다.
action-called = 지금 입장하기

title-admitted = 입장
heading-admitted = 입장합니다
lead-admitted = 화면을 열고 있습니다.

title-paused = 일시 중지
heading-paused = 입장이 잠시 멈추었습니다
lead-paused = 지금은 아무도 입장하지 않습니다. 모든 분의 순서가 그대로 유지되며, 다시 시작하면 이어서 입장합니다.

title-full = 대기 마감
heading-full = 대기 인원이 가득 찼습니다
lead-full = 지금은 새로운 순서를 드릴 수 없으며, 고객님의 순서는 아직 없습니다. 자리가 나는지 이 화면이 자동으로 확인합니다.
action-full = 다시 시도하기

title-closed = 입장 마감
heading-closed = 입장이 마감되었습니다
lead-closed = 더 이상 입장할 수 없으며, 새로운 순서도 드리지 않습니다.
action-closed = 다시 확인하기

title-ended = 이용 종료
heading-ended = 이용 시간이 끝났습니다
lead-ended = 주어진 이용 시간이 모두 지났습니다. 원하시면 새로운 순서로 다시 줄을 서실 수 있습니다.
action-ended = 다시 줄 서기

title-left = 대기 취소
heading-left = 대기를 취소하셨습니다
lead-left = 고객님의 순서는 반납되었습니다. 마음이 바뀌시면 새로운 순서로 다시 줄을 서실 수 있습니다.
action-left = 다시 줄 서기

title-expired = 순서 확인 불가
heading-expired = 고객님의 순서를 확인할 수 없습니다
lead-expired = 쿠키가 삭제되는 등의 이유로 이 브라우저에 유효한 순서가 남아 있지 않습니다.
action-expired = 다시 줄 서기

## Numbers and times.

people = 전체 {$value}명 중
seconds = {$value}초
minutes = {$value}분
hours = {$value}시간
range = {$low}~{$high}
about = 약 {$time}
soon = 1분 미만
unknown = 확인 중
opens-in = {$time} 후 시작
opens-now = 지금 시작합니다

## Notes: why a number grew, what is wrong at the moment.

moved-returned = 앞 순서였던 분이 원래 자리로 돌아와 고객님의 번호가 늘어났습니다.
moved-lane = 우선 입장 대상자가 앞에 들어와 고객님의 번호가 늘어났습니다.
moved-operator = 운영자가 순서를 조정하여 고객님의 번호가 늘어났습니다.
moved-restored = 장애가 복구되어 모든 분이 원래 순서로 돌아왔고, 이에 따라 고객님의 번호가 늘어났습니다.
slower = 입장 속도가 느려져 예상 시간이 늘어났습니다.
restoring = 장애 후 대기 순서를 복구하고 있습니다. 모든 분의 순서가 확인될 때까지 입장이 잠시 멈춥니다. 고객님의 순서는 안전하게 유지됩니다.
degraded = 대기 시스템에 다시 연결하고 있습니다. 숫자가 조금 늦을 수 있으나 순서는 안전하게 유지됩니다.
offline = 지금은 인터넷에 연결되어 있지 않습니다. 순서는 유지되며, 이 화면이 계속 다시 연결합니다.
trouble = 지금은 대기 시스템이 응답하지 않습니다. 순서는 유지되며, 이 화면이 계속 다시 확인합니다.
busy = 확인 요청이 한꺼번에 몰려 조금 뒤에 다시 확인합니다. 순서는 유지됩니다.
leave-failed = 요청이 전달되지 않았습니다. 잠시 후 다시 시도해 주십시오.

## What is read aloud when something changes.

say-position = 나의 순서 {$value}번째입니다.
say-wait = 예상 대기 시간 {$time}입니다.

## Telling the visitor in another tab or window.

notify = 차례가 되면 알림 받기
notify-on = 차례가 되면 알려 드립니다
notify-off = 이 브라우저에서는 알림을 보낼 수 없습니다

## Around it.

page-position = 나의 순서
page-wait = 예상 대기 시간
page-progress = 지금까지의 진행
page-opening = 시작 시각
page-message = 운영자 안내
page-tips = 안내
page-tip-keep = 순서는 그대로 유지됩니다. 새로고침하지 않으셔도 됩니다.
page-tip-turn = 차례가 되면 이 화면에서 자동으로 입장하며, 그때부터 {$time} 동안 차례를 유지해 드립니다.
page-tip-return = 화면을 닫으셨다면 같은 브라우저로 다시 들어오십시오. 원래 순서가 그대로 이어집니다.
page-updated = 마지막 확인
page-joined = 대기 시작
page-again = 이 화면은 {$time}마다 자동으로 다시 확인합니다.
page-check = 지금 확인하기
page-how = 대기 방식 알아보기
page-how-place = 한 분께 순서를 하나씩 드리며, 한번 드린 순서는 바뀌지 않습니다. 앞에 계신 분이 입장하거나 나가시면 번호가 줄어듭니다.
page-how-wait = 예상 시간은 지금의 입장 속도로 계산합니다. 정확한 시간은 누구도 알 수 없으므로 범위로 알려 드립니다.
page-how-data = 순서는 이 사이트의 쿠키에 보관하며, 다른 곳에 제공하지 않습니다.
page-leave = 대기 취소
page-leave-warning = 순서를 반납하면 되돌릴 수 없습니다. 뒤에 계신 분들이 앞으로 이동합니다.
page-leave-button = 순서를 반납합니다

## Plain error pages.

error-429-title = 요청이 너무 많음
error-429-heading = 요청이 너무 빠릅니다
error-429-lead = 짧은 시간에 많은 요청이 들어왔습니다. 잠시 기다리신 뒤 다시 시도해 주십시오.
error-502-title = 이용할 수 없음
error-502-heading = 서비스가 응답하지 않습니다
error-502-lead = 서비스가 제대로 응답하지 않고 있습니다. 고객님의 순서와 이용 시간은 사라지지 않았습니다.
error-503-title = 이용할 수 없음
error-503-heading = 지금은 이용하실 수 없습니다
error-503-lead = 지금은 요청을 처리할 수 없습니다. 이미 받으신 순서와 이용 시간은 사라지지 않았습니다.
error-504-title = 응답 지연
error-504-heading = 서비스의 응답이 늦어지고 있습니다
error-504-lead = 응답이 제시간에 오지 않았습니다. 다시 시도하시기 전에 마지막 단계가 처리되었는지 확인해 주십시오.
error-other-title = 오류
error-other-heading = 요청을 처리하지 못했습니다
error-other-lead = 요청에 응답할 수 없습니다.
error-retry = {$time} 후에 다시 시도해 주십시오.
error-again = 다시 시도하기
error-status = 상태 코드 {$value}
