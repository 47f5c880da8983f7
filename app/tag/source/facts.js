// What a browser tells of a page and itself.

export const facts = () => ({
  url: location.href, referrer: document.referrer, agent: navigator.userAgent, language: navigator.language,
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, width: innerWidth,
});
