import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { EventJournal, JournalReader } from './journal.ts'

test('what the consumer has taken makes room, however small all of it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-journal-'))
  const logged: string[] = []
  let now = 0
  const journal = new EventJournal({
    folder,
    limitBytes: 1024,
    now: () => now,
    log: (line) => logged.push(line),
  })
  try {
    const text = (i: number): string => JSON.stringify({ event: 'one', i, more: 'x'.repeat(60) })
    let kept = 0
    while (journal.append(text(kept))) kept++
    assert.ok(kept > 4 && kept < 12, String(kept))
    assert.equal(journal.append(text(99)), false)
    await new Promise((resolve) => setTimeout(resolve, 60))
    const reader = new JournalReader(folder, undefined)
    const batch = reader.next(100)
    assert.equal(batch?.lines.length, kept)
    batch?.taken()
    now += 2001
    assert.equal(journal.append(text(100)), true)
    assert.deepEqual(logged.at(-1), 'event_stream: 2 events were lost')
    await new Promise((resolve) => setTimeout(resolve, 60))
    assert.deepEqual(reader.next(100)?.lines, ['{"event":"stream:lost","count":2}', text(100)])
  } finally {
    journal.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
