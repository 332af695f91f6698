import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { condemn, enterShield, installShield, leaveShield, shielded } from './shield.ts';

test('shield: a thread is not ended inside a stretch, and begins none once it is condemned', () => {
  const word = new Int32Array(new SharedArrayBuffer(4));
  // Without a word there is nobody who could end the thread.
  equal(
    shielded(() => condemn(word)),
    true,
  );
  word[0] = 0;
  installShield(word);
  try {
    enterShield();
    equal(condemn(word), false);
    equal(
      shielded(() => condemn(word)),
      false,
    );
    // The inner stretch is over, the outer one is not.
    equal(condemn(word), false);
    leaveShield();
    throws(() =>
      shielded(() => {
        throw new Error('own');
      }),
    );
    equal(condemn(word), true);
    equal(word[0], -1);
  } finally {
    installShield(new Int32Array(new SharedArrayBuffer(4)));
  }
});
