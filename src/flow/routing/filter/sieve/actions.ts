/** The actions of Sieve. Source: RFC 5228 section 4, RFC 3894 (copy). */
import type { ByteString } from '../../../../base/text.ts'
import { parseAddress } from '../../../../mail/parse-address.ts'
import type { FilterDelivery } from '../result.ts'
import { onlyString, readArguments } from './arguments.ts'
import { SieveError, type SieveNode } from './grammar.ts'
import { compileNotify } from './notify.ts'
import type { SieveScript } from './script.ts'
import { compileVacation } from './vacation.ts'

/** What has been done so far. */
export interface SieveRun {
  readonly deliveries: FilterDelivery[]
  /** RFC 5228 section 2.10.2: without a cancelling action the message is kept. */
  implicitKeep: boolean
}

export type SieveAction = (run: SieveRun) => void

export function compileAction(node: SieveNode, script: SieveScript): SieveAction | undefined {
  if (node.block !== undefined || node.tests.length > 0) return undefined
  switch (node.name) {
    case 'keep': {
      if (node.arguments.length > 0) throw new SieveError('missing semicolon', node.line)
      return (run) => save(script.options.inbox, false, run)
    }
    case 'discard': {
      if (node.arguments.length > 0) throw new SieveError('missing semicolon', node.line)
      return (run) => {
        run.implicitKeep = false
      }
    }
    case 'fileinto':
      return fileInto(node, script)
    case 'redirect':
      return redirect(node, script)
    case 'vacation':
      script.needs('vacation', node.line)
      return compileVacation(node, script)
    case 'notify':
      script.needs('enotify', node.line)
      return compileNotify(node, script)
    default:
      return undefined
  }
}

/** Each place gets one copy: RFC 5228 section 2.10.3. */
export function save(path: ByteString, copy: boolean, run: SieveRun): void {
  if (!run.deliveries.some((one) => one.is === 'file' && one.path === path)) {
    run.deliveries.push({ is: 'file', path, mode: undefined, noError: false })
  }
  if (!copy) run.implicitKeep = false
}

function copies(node: SieveNode, script: SieveScript, read: ReturnType<typeof readArguments>): boolean {
  if (!read.has('copy')) return false
  script.needs('copy', node.line)
  return true
}

function fileInto(node: SieveNode, script: SieveScript): SieveAction {
  script.needs('fileinto', node.line)
  const read = readArguments(node, { copy: 'nothing' })
  const copy = copies(node, script, read)
  const folder = script.text(onlyString(node, read, 'fileinto folder string'), node.line)
  // Out of the folder of its user no script gets: Exim manual, "Semantics of fileinto".
  if (folder === '' || folder.includes('..') || folder.includes('\0')) {
    throw new SieveError('invalid folder', node.line)
  }
  return (run) => save(folder, copy, run)
}

function redirect(node: SieveNode, script: SieveScript): SieveAction {
  const read = readArguments(node, { copy: 'nothing' })
  const copy = copies(node, script, read)
  const text = script.text(onlyString(node, read, 'redirect recipient string'), node.line)
  const parsed = parseAddress(text)
  if (/^\s*(?:<>)?$/.test(text)) throw new SieveError('unqualified recipient address', node.line)
  if (parsed.is === 'error') throw new SieveError('invalid recipient address', node.line)
  // What the local domain is, is not the script's to know: Exim manual, "Semantics of redirect".
  if (parsed.domain === '') throw new SieveError('unqualified recipient address', node.line)
  const { address } = parsed
  return (run) => {
    if (!run.deliveries.some((one) => one.is === 'address' && one.address === address)) {
      run.deliveries.push({ is: 'address', address, errorsTo: undefined, noError: false })
    }
    if (!copy) run.implicitKeep = false
  }
}
