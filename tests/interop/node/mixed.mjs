// One of the processes of the mixed suite: sends its share of the jobs and works all queues, both by real pg-boss.
//
// Told what to do by its first line of input, JSON: {"connection", "name", "queues", "share"}. Says READY, sends its
// share at the next line, says SENT with how many were accepted, and ends with its input. The other two processes are
// tests/support/mixed_worker.py.

import { createInterface } from 'node:readline'
import { PgBoss } from 'pg-boss'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { connection, name, queues, share } = JSON.parse((await lines.next()).value)

const boss = new PgBoss({ ...connection, max: 6, useListenNotify: true, supervise: true, schedule: false })
const errors = []
boss.on('error', error => errors.push(String(error?.message ?? error)))
await boss.start()
const database = boss.getDb()

async function handle (jobs) {
  return await Promise.all(jobs.map(async job => {
    await database.executeSql(
      'INSERT INTO mixed_run (id, attempt, worker) VALUES ($1::uuid, $2::int, $3::text)', [job.id, job.retryCount, name]
    )
    const { fate } = job.data
    const fails = fate === 'never' || (fate === 'fail_once' && job.retryCount === 0)
    return { id: job.id, status: fails ? 'failed' : 'completed', output: { by: name } }
  }))
}

const options = {
  batchSize: 10,
  perJobResults: true,
  pollingIntervalSeconds: 0.5,
  notifyPollingIntervalSeconds: 0.5,
  burstWhenBatchFull: true
}
for (const queue of queues) await boss.work(queue, options, handle)

console.log('READY')

await lines.next()
let accepted = 0
for (const { queue, key, data } of share) {
  const id = await boss.send(queue, data, key === null ? {} : { singletonKey: key })
  if (id !== null) accepted++
}
console.log(`SENT ${accepted}`)

await lines.next()
await boss.stop({ graceful: true, timeout: 10000 })
for (const error of errors) console.error(error)
process.exit(0)
