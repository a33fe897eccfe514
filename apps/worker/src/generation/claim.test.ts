import { PROGRESS_MIN_INTERVAL_MS } from '@firepod/contract';
import { FieldValue, Timestamp } from 'firebase-admin/firestore';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCollectingLogger } from '../../testing/collecting-logger.ts';
import { startTestFirebase, type TestFirebase } from '../../testing/firebase.ts';
import { cancel, newGeneration, QUICK_POLICY, submit } from '../../testing/generations.ts';
import { type Claim, type ClaimOptions, claimGeneration } from './claim.ts';
import { generationDocuments } from './documents.ts';
import type { HeldGeneration } from './held-generation.ts';

describe('claiming a generation', () => {
  let firebase: TestFirebase;
  beforeAll(async () => {
    firebase = await startTestFirebase();
  });
  afterAll(() => firebase.close());

  const open: HeldGeneration[] = [];
  afterAll(async () => {
    for (const held of open) await held.release().catch(() => {});
  });

  async function claim(generation = newGeneration(), options: Partial<ClaimOptions> = {}): Promise<Claim> {
    const result = await claimGeneration({
      firestore: firebase.firestore,
      generation,
      runpodId: 'job-1',
      podId: 'pod-1',
      policy: QUICK_POLICY,
      signal: new AbortController().signal,
      logger: createCollectingLogger(),
      ...options,
    });
    if (result.kind === 'held') open.push(result.generation);
    return result;
  }

  async function hold(generation = newGeneration(), options: Partial<ClaimOptions> = {}) {
    const result = await claim(generation, options);
    if (result.kind !== 'held') throw new Error(`Expected to hold the generation, got ${result.kind}.`);
    return result.generation;
  }

  function read(path: string) {
    return firebase.firestore.doc(path).get();
  }

  it('creates document and record in full when RunPod was called directly', async () => {
    const generation = newGeneration();
    const held = await hold(generation);
    expect(held.attempt).toBe(1);
    expect((await read(generation.path)).data()).toEqual({
      status: 'processing',
      user_id: 'ada',
      file_uid: generation.fileUid,
      task_type: 'text2img',
      request_data: { prompt: 'a fox' },
      prompt_words: ['a', 'fox'],
      job: { id: 'job-1', attempt: 1 },
      progress: { phase: 'starting', step: 0, steps: 0, percent: 0, eta_seconds: null },
      created_at: expect.any(Timestamp),
      started_at: expect.any(Timestamp),
      updated_at: expect.any(Timestamp),
    });
    expect((await read(`firepod_jobs/${generation.fileUid}`)).data()).toMatchObject({
      path: generation.path,
      attempt: 1,
      runpod_id: 'job-1',
      worker_id: expect.stringMatching(/^pod-1\//),
      input: generation.input,
    });
  });

  it('takes over a document that an admin script made', async () => {
    const generation = newGeneration();
    await firebase.firestore.doc(generation.path).set({
      status: 'queued',
      created_at: FieldValue.serverTimestamp(),
      request_data: { prompt: 'a fox', width: 512 },
      file_uid: generation.fileUid,
      user_id: 'ada',
    });
    await hold(generation);
    expect((await read(generation.path)).data()).toMatchObject({
      status: 'processing',
      task_type: 'text2img',
      request_data: { prompt: 'a fox', width: 512 },
    });
  });

  it('lets one of two workers have it, and shows the other the end', async () => {
    const generation = newGeneration();
    await submit(firebase.firestore, generation);
    const claims = [claim(generation, { podId: 'pod-1' }), claim(generation, { podId: 'pod-2' })];
    const first = await Promise.race(claims);
    if (first.kind !== 'held') throw new Error(`Expected to hold the generation, got ${first.kind}.`);
    await first.generation.complete({ image_urls: ['x'] });
    const kinds = await Promise.all(claims.map(async (each) => (await each).kind));
    expect(kinds.sort()).toEqual(['held', 'settled']);
  });

  it('takes over from a holder that fell silent, who then may write nothing more', async () => {
    const generation = newGeneration();
    // Its lease is long, so that it does not renew it in the middle of the test.
    const silent = await hold(generation, { policy: { ...QUICK_POLICY, leaseSeconds: 600 } });
    await firebase.firestore.doc(`firepod_jobs/${generation.fileUid}`).update({
      lease_renewed_at: Timestamp.fromMillis(Date.now() - 700_000),
    });
    const next = await hold(generation, { podId: 'pod-2' });
    expect(next.attempt).toBe(2);
    expect(await silent.complete({ image_urls: ['late'] })).toBe('superseded');
    expect(await silent.fail('internal', 'late')).toBe('superseded');
    expect((await read(generation.path)).get('job')).toEqual({ id: 'job-1', attempt: 2 });
    expect(await next.complete({ image_urls: ['x'] })).toBe('written');
  });

  it('fails a generation whose attempts are used up', async () => {
    const generation = newGeneration();
    for (let attempt = 1; attempt <= 3; attempt += 1) await (await hold(generation)).release();
    expect(await claim(generation)).toMatchObject({
      kind: 'settled',
      stored: { status: 'failed', error_code: 'worker_lost' },
    });
    expect((await read(`firepod_jobs/${generation.fileUid}`)).exists).toBe(false);
  });

  it('returns what is stored of a generation that has ended', async () => {
    const generation = newGeneration();
    await submit(firebase.firestore, generation);
    await cancel(firebase.firestore, generation);
    expect(await claim(generation)).toMatchObject({ kind: 'settled', stored: { error_code: 'cancelled' } });
  });

  it('makes nothing anew that its user deleted', async () => {
    const generation = newGeneration();
    await firebase.firestore
      .doc(`firepod_deleted/${generation.fileUid}`)
      .set({ deleted_at: Timestamp.now() });
    expect(await claim(generation)).toEqual({ kind: 'deleted' });
    expect((await read(generation.path)).exists).toBe(false);
  });

  it('refuses an id that a generation elsewhere has', async () => {
    const generation = newGeneration();
    await hold(generation);
    const elsewhere = { ...generation, userId: 'eve', path: `generations/eve/images/${generation.fileUid}` };
    expect(await claim(elsewhere)).toEqual({ kind: 'file-uid-taken' });
  });

  it('stops waiting when the job is stopped', async () => {
    const generation = newGeneration();
    await hold(generation);
    const reason = new Error('stopped');
    const stop = new AbortController();
    const waiting = claim(generation, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 100);
    await expect(waiting).rejects.toThrow();
    expect(stop.signal.aborted).toBe(true);
  });

  describe('and holding it', () => {
    it('keeps the lease for as long as the work takes, without a word from the engine', async () => {
      const generation = newGeneration();
      const held = await hold(generation);
      const waiting = claim(generation, { podId: 'pod-2' });
      await new Promise((resolve) => setTimeout(resolve, QUICK_POLICY.leaseSeconds * 1000 * 2.5));
      expect(await held.complete({ image_urls: ['x'] })).toBe('written');
      expect(await waiting).toMatchObject({ kind: 'settled', stored: { status: 'completed' } });
    });

    it('writes the latest progress and the newest preview', async () => {
      const generation = newGeneration();
      const held = await hold(generation);
      held.report(
        { phase: 'denoising', step: 1, steps: 9, percent: 11, eta_seconds: 8 },
        'data:image/webp;base64,AA==',
      );
      held.report({ phase: 'denoising', step: 2, steps: 9, percent: 22, eta_seconds: 7 }, null);
      await vi.waitFor(async () => expect((await read(generation.path)).get('progress.step')).toBe(2), 5000);
      expect((await read(generation.path)).get('preview')).toBe('data:image/webp;base64,AA==');
      await held.complete({ image_urls: ['x'] });
      const document = (await read(generation.path)).data()!;
      expect(document).toMatchObject({
        status: 'completed',
        generated: true,
        generation_data: { image_urls: ['x'] },
      });
      expect(document).not.toHaveProperty('progress');
      expect(document).not.toHaveProperty('preview');
      expect(document['modified']).toEqual(document['completed_at']);
      expect((await read(`firepod_jobs/${generation.fileUid}`)).exists).toBe(false);
    });

    it('goes on after a foreign write that left it ours', async () => {
      const generation = newGeneration();
      const held = await hold(generation);
      await firebase.firestore.doc(generation.path).update({ 'job.id': 'written-by-the-function' });
      held.report({ phase: 'denoising', step: 3, steps: 9, percent: 33, eta_seconds: 6 }, null);
      await vi.waitFor(async () => expect((await read(generation.path)).get('progress.step')).toBe(3), 5000);
      expect(held.lost.aborted).toBe(false);
    });

    it('is lost at the next write after somebody ended it', async () => {
      const generation = newGeneration();
      const held = await hold(generation);
      await cancel(firebase.firestore, generation);
      held.report({ phase: 'denoising', step: 3, steps: 9, percent: 33, eta_seconds: 6 }, null);
      await vi.waitFor(() => expect(held.lost.aborted).toBe(true), 5000);
      expect(held.lost.reason).toMatchObject({ code: 'superseded' });
      expect(await held.isStillOurs()).toBe(false);
      expect(await held.complete({ image_urls: ['x'] })).toBe('superseded');
      expect((await read(generation.path)).data()).toMatchObject({
        status: 'failed',
        error_code: 'cancelled',
      });
    });

    it('writes nothing over the attempt that took over, even when it has looked since', async () => {
      const generation = newGeneration();
      const patient = { policy: { ...QUICK_POLICY, leaseSeconds: 600 } };
      const late = await hold(generation, patient);
      await firebase.firestore.doc(`firepod_jobs/${generation.fileUid}`).update({ lease_renewed_at: null });
      await hold(generation, { ...patient, podId: 'pod-2' });
      const { updateTime } = await read(generation.path);
      late.report({ phase: 'denoising', step: 3, steps: 9, percent: 33, eta_seconds: 6 }, null);
      expect(await late.isStillOurs()).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 2 * PROGRESS_MIN_INTERVAL_MS));
      expect((await read(generation.path)).updateTime).toEqual(updateTime);
    });

    it('is lost when its document was deleted', async () => {
      const generation = newGeneration();
      const held = await hold(generation);
      const { document, record } = generationDocuments(
        firebase.firestore,
        generation.path,
        generation.fileUid,
      );
      await Promise.all([document.delete(), record.delete()]);
      held.report({ phase: 'denoising', step: 3, steps: 9, percent: 33, eta_seconds: 6 }, null);
      await vi.waitFor(() => expect(held.lost.aborted).toBe(true), 5000);
      expect((await document.get()).exists).toBe(false);
    });
  });
});
