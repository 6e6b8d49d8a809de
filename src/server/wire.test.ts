import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context, LookupRequest } from '../ports.ts'
import { createPorts, type Resources } from './wire.ts'

test('what is loaded when first needed is loaded once, though many sessions ask at the same moment', async () => {
  let loaded = 0
  const load = async (): Promise<never> => {
    loaded++
    await new Promise((resolve) => setImmediate(resolve))
    // Of a port only that it is asked.
    return (() => ({ is: 'defer', message: 'loaded' })) as never
  }
  // Nothing else is asked for here.
  const ports = createPorts({} as Resources, { lookup: load, runAcl: load, verify: load })
  const request = {} as LookupRequest
  const context = {} as Context
  const answers = await Promise.all(Array.from({ length: 20 }, async () => ports.lookup(request, context)))
  assert.equal(answers.length, 20)
  assert.equal(loaded, 1)
})
