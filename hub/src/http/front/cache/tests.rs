use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn key(target: &str) -> Key {
    Key::of(&Method::GET, target, &HeaderMap::new(), false, |_| false).unwrap()
}

fn public(body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_owned()));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"a\""));
    response
}

async fn text(answer: Answer) -> String {
    let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

fn advance(cache: &Cache, by: Duration) {
    *cache.ahead.lock().unwrap() += by;
}

/// Asks for `/badge/a`; the application's answer comes after `ms`.
async fn asked(cache: &Arc<Cache>, counts: &Counts, ms: u64, answer: Answer) -> Answer {
    let ask = async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        answer
    };
    cache.answer(key("/badge/a"), counts, ask).await
}

#[test]
fn only_where_answers_are_for_everybody() {
    for (method, target, is_kept) in [
        (Method::GET, "/badge/1/status.svg?label=a", true),
        (Method::HEAD, "/s/ours", true),
        (Method::POST, "/s/ours", false),
        (Method::GET, "/", false),
        (Method::GET, "/websites/1", false),
        (Method::GET, "/badges", false),
    ] {
        assert_eq!(
            Key::of(&method, target, &HeaderMap::new(), true, |_| false).is_some(),
            is_kept,
            "{method} {target}"
        );
    }
}

#[test]
fn only_what_says_that_it_is_for_everybody() {
    let of = |name: header::HeaderName, value: &'static str| {
        let mut response = public("");
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        fresh(&response)
    };
    assert_eq!(fresh(&public("")), Some(FRESH));
    assert_eq!(of(header::CACHE_CONTROL, "public, max-age=3"), Some(Duration::from_secs(3)));
    assert_eq!(of(header::CACHE_CONTROL, "public, max-age=31536000, immutable"), Some(IMMUTABLE));
    assert_eq!(of(header::VARY, "Accept-Encoding"), Some(FRESH));
    for (name, value) in [
        (header::CACHE_CONTROL, "private, max-age=60"),
        (header::CACHE_CONTROL, "max-age=60"),
        (header::CACHE_CONTROL, "public, no-cache, max-age=60"),
        (header::CACHE_CONTROL, "public, max-age=0"),
        (header::CACHE_CONTROL, "public"),
        (header::VARY, "cookie"),
        (header::VARY, "*"),
        (header::SET_COOKIE, "a=b"),
    ] {
        assert_eq!(of(name.clone(), value), None, "{name}: {value}");
    }
    let mut missing = public("");
    *missing.status_mut() = StatusCode::NOT_FOUND;
    assert_eq!(fresh(&missing), None);
}

#[tokio::test]
async fn a_crowd_asks_once() {
    let (cache, counts, asks) =
        (Arc::new(Cache::default()), Arc::new(Counts::default()), Arc::new(AtomicUsize::new(0)));
    let crowd: Vec<_> = (0..200)
        .map(|_| {
            let (cache, counts, asks) = (cache.clone(), counts.clone(), asks.clone());
            tokio::spawn(async move {
                let ask = async move {
                    asks.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    Ok(public("1"))
                };
                text(cache.answer(key("/badge/a"), &counts, ask).await).await
            })
        })
        .collect();
    for one in crowd {
        assert_eq!(one.await.unwrap(), "1");
    }
    assert_eq!((asks.load(Ordering::Relaxed), counts.cache_asked.get(), counts.cache_fresh.get()), (1, 1, 199));
    let kept = asked(&cache, &counts, 0, Ok(public("2"))).await.unwrap();
    assert_eq!(kept.headers()[header::AGE], "0");
    advance(&cache, FRESH);
    assert_eq!(text(asked(&cache, &counts, 0, Ok(public("2"))).await).await, "2");
}

#[tokio::test]
async fn what_was_goes_on_while_the_application_is_slow_or_fails() {
    let (cache, counts) = (Arc::new(Cache::default()), Counts::default());
    assert_eq!(text(asked(&cache, &counts, 0, Ok(public("1"))).await).await, "1");
    advance(&cache, FRESH);
    let began = Instant::now();
    let old = asked(&cache, &counts, 3_000, Ok(public("2"))).await.unwrap();
    assert!(old.headers()[header::AGE] == "10" && (PATIENCE..PATIENCE * 2).contains(&began.elapsed()));
    assert_eq!(text(asked(&cache, &counts, 0, Ok(public("3"))).await).await, "1", "somebody asks already");
    while !cache.under_way.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(text(asked(&cache, &counts, 0, Ok(public("4"))).await).await, "2", "what came late is kept");
    advance(&cache, FRESH);
    for error in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT] {
        assert_eq!(text(asked(&cache, &counts, 0, Err(error)).await).await, "2");
    }
    advance(&cache, STALE);
    let gone = asked(&cache, &counts, 0, Err(StatusCode::GATEWAY_TIMEOUT)).await;
    assert_eq!(gone.unwrap_err(), StatusCode::GATEWAY_TIMEOUT, "what is old is shown to nobody");
}

#[tokio::test]
async fn what_is_public_no_more_is_forgotten() {
    let (cache, counts) = (Arc::new(Cache::default()), Counts::default());
    assert_eq!(text(asked(&cache, &counts, 0, Ok(public("1"))).await).await, "1");
    advance(&cache, FRESH);
    let mut missing = Response::new(Full::default());
    *missing.status_mut() = StatusCode::NOT_FOUND;
    assert_eq!(asked(&cache, &counts, 0, Ok(missing)).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(matches!(cache.find(&key("/badge/a")), Found::Nothing));
    // Each gets his own then, though one waited for the other.
    let own = |who: &'static str| {
        let mut response = public(who);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
        Ok(response)
    };
    let (ann, ben) = tokio::join!(asked(&cache, &counts, 50, own("ann")), asked(&cache, &counts, 50, own("ben")));
    assert_eq!((text(ann).await, text(ben).await), ("ann".to_owned(), "ben".to_owned()));
    assert!(cache.under_way.lock().unwrap().is_empty());
}

#[tokio::test]
async fn made_up_addresses_take_no_place_from_those_that_are_asked_for() {
    let (cache, counts) = (Arc::new(Cache::default()), Counts::default());
    for _ in 0..2 {
        assert_eq!(text(asked(&cache, &counts, 0, Ok(public("1"))).await).await, "1");
    }
    let large = "x".repeat(100 * 1024);
    for n in 0..500 {
        let large = large.clone();
        let ask = async move { Ok(public(&large)) };
        let _ = cache.answer(key(&format!("/badge/a?label={n}")), &counts, ask).await;
    }
    {
        let shelf = cache.shelf.lock().unwrap();
        let bytes: usize = shelf.kept.iter().map(|(key, kept)| kept.bytes(key)).sum();
        assert!(bytes == shelf.bytes && bytes <= BYTES && shelf.kept.len() > 50, "{bytes}");
    }
    assert!(matches!(cache.find(&key("/badge/a")), Found::Fresh(_)));
    for n in 0..MOST + 50 {
        let _ = cache.answer(key(&format!("/badge/b?{n}")), &counts, async { Ok(public("")) }).await;
    }
    assert!(cache.shelf.lock().unwrap().kept.len() <= MOST && matches!(cache.find(&key("/badge/a")), Found::Fresh(_)));
}

#[tokio::test]
async fn who_goes_away_at_once_leaves_no_more_than_so_many_requests_behind() {
    let (cache, counts) = (Arc::new(Cache::default()), Counts::default());
    for n in 0..FLIGHTS + 10 {
        let asks = cache.answer(key(&format!("/badge/{n}")), &counts, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(1), asks).await.is_err());
    }
    assert_eq!(cache.under_way.lock().unwrap().len(), FLIGHTS);
}

#[test]
fn who_has_it_is_sent_nothing() {
    let known = |names: &'static str| unless_known(Some(&HeaderValue::from_static(names)), public("1")).status();
    assert_eq!(
        (known("W/\"a\""), known("\"b\", \"a\""), known("*")),
        (StatusCode::NOT_MODIFIED, StatusCode::NOT_MODIFIED, StatusCode::NOT_MODIFIED)
    );
    assert_eq!((known("\"b\""), unless_known(None, public("1")).status()), (StatusCode::OK, StatusCode::OK));
}
