// A worker's handler that does what a test wrote down, one step for each batch of jobs; the last step repeats.
//
//   {"return": value}      resolves with the value
//   {"throw": {…}}         throws an Error with these fields (message, name, code, …)
//   {"throwValue": value}  throws something that is not an Error
//   {"echo": true}         resolves with the data of the first job
//   {"settle": [{"status": "failed", "output": …}, …]}   resolves job by job (perJobResults)
//   {"settleBy": {"a": {"status": "failed", "output": …}, …}}   the same, by the data's key "by"; others are left out
//   {"hold": true, …}      first waits for a release, or for the job's abort signal; {"delay": ms, …} waits that long

export class Script {
  constructor (steps, report) {
    this.steps = steps
    this.report = report
    this.taken = 0
    this.releases = 0
    this.holding = []
  }

  async handle (jobs) {
    const step = this.steps[Math.min(this.taken++, this.steps.length - 1)]
    const { signal } = jobs[0]
    this.report({ event: 'started', jobs })
    try {
      if (step.delay) await pause(step.delay, signal)
      if (step.hold) await this.hold(signal)
      const result = this.perform(step, jobs)
      this.report({ event: 'handled', jobs, outcome: 'returned', result, aborted: signal.aborted })
      return result
    } catch (error) {
      this.report({ event: 'handled', jobs, outcome: 'threw', result: String(error), aborted: signal.aborted })
      throw error
    }
  }

  perform (step, jobs) {
    if ('throw' in step) throw Object.assign(new Error(step.throw.message), step.throw)
    if ('throwValue' in step) throw step.throwValue
    if (step.echo) return jobs[0].data
    if (step.settle) return jobs.map((job, index) => ({ id: job.id, ...step.settle[index] }))
    if (step.settleBy) {
      return jobs.filter(job => job.data.by in step.settleBy).map(job => ({ id: job.id, ...step.settleBy[job.data.by] }))
    }
    return step.return
  }

  // A release that comes first is kept for the next batch that asks.
  async hold (signal) {
    if (this.releases > 0) {
      this.releases--
      return
    }
    await new Promise(resolve => {
      this.holding.push(resolve)
      signal.addEventListener('abort', () => {
        // Who has been aborted must not use up a release meant for the next one.
        this.holding = this.holding.filter(waiting => waiting !== resolve)
        resolve()
      }, { once: true })
    })
  }

  release () {
    const resolve = this.holding.shift()
    if (resolve) resolve()
    else this.releases++
  }
}

function pause (milliseconds, signal) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })
}
