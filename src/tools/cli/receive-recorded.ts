/** A message of a local program, with an explanation of what became of it where `explain_store` asks for that. */
import { type LocalOutcome, type LocalSubmission, receiveLocal } from '../../flow/receive/local.ts'
import type { ReceiveServices } from '../../flow/receive/services.ts'
import type { Server } from '../../server/server.ts'

export async function receiveRecorded(
  submission: LocalSubmission,
  services: ReceiveServices,
  { recorder }: Server,
): Promise<LocalOutcome> {
  if (recorder === undefined) return receiveLocal(submission, services)
  const recorded = recorder.local(submission.connection)
  const outcome = await receiveLocal(submission, recorded.watched(services))
  const { exitCode, problem, message } = outcome
  if (exitCode !== 0) recorded.finish({ refused: true, text: `refused: ${problem ?? 'told by mail'}` })
  else
    recorded.finish({
      refused: false,
      text: message === undefined ? 'accepted' : `accepted id=${message.id}`,
    })
  return outcome
}
