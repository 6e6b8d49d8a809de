/** All fuzz targets, sorted by name. */
import type { FuzzTarget } from '../target.ts'
import { expansions } from './expansions.ts'
import { lists } from './lists.ts'
import { messageData } from './message-data.ts'
import { mimeMessages } from './mime-messages.ts'
import { proxyHeaders } from './proxy-headers.ts'
import { regularExpressions } from './regular-expressions.ts'
import { smtpCommands } from './smtp-commands.ts'

export const targets: readonly FuzzTarget[] = [
  expansions,
  lists,
  messageData,
  mimeMessages,
  proxyHeaders,
  regularExpressions,
  smtpCommands,
]
