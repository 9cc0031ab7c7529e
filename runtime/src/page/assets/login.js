// Sign in, and go on to where one came from.
'use strict';

find('#form').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await ask('/api/enter', { password: find('#password').value });
    const to = new URLSearchParams(location.search).get('to') ?? '/';
    location.href = to.startsWith('/') && !to.startsWith('//') && !to.includes('\\') ? to : '/';
  } catch (error) {
    find('#wrong').textContent = error.message;
  }
});
