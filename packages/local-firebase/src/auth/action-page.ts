/** `/emulator/action`: where the links of mailed codes lead. Answers are JSON, as the official emulator's; a new password is asked for by a form. */
import type { Context } from 'hono';
import { applyEmailCode } from './apply-email-code.ts';
import type { EmailCodePurpose } from './codes.ts';
import { findEmailCode, resetPassword } from './email-codes.ts';
import { AuthRequestError } from './errors.ts';
import { requestFields } from './request-fields.ts';
import type { AuthService, Caller } from './service.ts';

/** What a mode uses up, and what is said of it. */
const modes: Record<string, { purpose: EmailCodePurpose; done: string; what: string }> = {
  verifyEmail: {
    purpose: 'VERIFY_EMAIL',
    done: 'The email has been successfully verified.',
    what: 'verify your email',
  },
  verifyAndChangeEmail: {
    purpose: 'VERIFY_AND_CHANGE_EMAIL',
    done: 'The email has been successfully changed.',
    what: 'change your email',
  },
  recoverEmail: {
    purpose: 'RECOVER_EMAIL',
    done: 'The email has been successfully reset.',
    what: 'revert your email',
  },
  resetPassword: {
    purpose: 'PASSWORD_RESET',
    done: 'The password has been successfully updated.',
    what: 'reset your password',
  },
};

/** Does what the link says, then sends the person on to `continueUrl`, or says what was done. */
export async function actionPage(service: AuthService, context: Context, caller: Caller): Promise<Response> {
  const { mode = '', oobCode, continueUrl, apiKey, newPassword } = context.req.query();
  if (!apiKey) return refusal(context, 'missing apiKey query parameter');
  if (!oobCode) return refusal(context, 'missing oobCode query parameter');
  if (mode === 'signIn') return signInRedirect(context, continueUrl);
  const action = modes[mode];
  if (action === undefined) return refusal(context, 'Invalid mode');
  try {
    const { requestType, email } = findEmailCode(service, oobCode);
    if (requestType !== action.purpose) {
      return refusal(context, 'Requested mode does not match the OOB code provided.');
    }
    if (mode === 'resetPassword') {
      if (!newPassword) return askForPassword(context, email);
      await resetPassword(service, requestFields({ oobCode, newPassword }), caller);
    } else applyEmailCode(service, oobCode);
    if (continueUrl !== undefined && mode !== 'recoverEmail') return context.redirect(continueUrl, 303);
    return context.json({ authEmulator: { success: action.done, email } });
  } catch (error) {
    if (!(error instanceof AuthRequestError)) throw error;
    if (!error.message.endsWith('OOB_CODE')) return refusal(context, error.message);
    return refusal(
      context,
      `Your request to ${action.what} has expired or the link has already been used.`,
      'Ask for a new link.',
    );
  }
}

function refusal(context: Context, error: string, instructions?: string): Response {
  return context.json(
    { authEmulator: { error, ...(instructions === undefined ? {} : { instructions }) } },
    400,
  );
}

/** The app itself finishes a sign-in by link: it gets the parameters of this one. */
function signInRedirect(context: Context, continueUrl: string | undefined): Response {
  if (continueUrl === undefined || !URL.canParse(continueUrl)) {
    return refusal(
      context,
      'Missing continueUrl query parameter',
      'To sign in, append &continueUrl=YOUR_APP_URL to the link.',
    );
  }
  const target = new URL(continueUrl);
  for (const [name, value] of Object.entries(context.req.query())) {
    if (name !== 'continueUrl') target.searchParams.set(name, value);
  }
  return context.redirect(target.href, 303);
}

function askForPassword(context: Context, email: string): Response {
  const accepts = context.req.header('accept') ?? '';
  if (!accepts.includes('text/html')) {
    return refusal(
      context,
      'missing newPassword query parameter',
      `To reset the password for ${email}, append &newPassword=NEW_PASSWORD_HERE to the link.`,
    );
  }
  const hidden = Object.entries(context.req.query())
    .map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`)
    .join('');
  return context.html(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>New password</title><body style="font:16px system-ui;margin:3rem auto;max-width:24rem">
<h1 style="font-size:1.25rem">New password for ${escaped(email)}</h1>
<form>${hidden}<input type="password" name="newPassword" minlength="6" required autofocus autocomplete="new-password"> <button>Save</button></form>`,
  );
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
