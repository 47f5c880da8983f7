(()=>{var s=[];window.resonate?._?.(a=>Promise.all(s.map(o=>o.start(a))));})();
