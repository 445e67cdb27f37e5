local accepted = propose()
return finish(accepted)
